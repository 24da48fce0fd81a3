"""`flowzoo export NAME DIR`: a SavedModel for TensorFlow Serving."""

import argparse

from flowzoo.cli.common import add_preset

NAME, HELP = "export", "Write a preset as a SavedModel, for TensorFlow Serving or plain TensorFlow."
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    parser.add_argument("directory", metavar="DIR", help="a new or empty folder")


def run(args: argparse.Namespace) -> int:
    """Load, export, and name the signatures."""
    import tensorflow as tf

    import flowzoo

    flowzoo.load(args.preset).export(args.directory)
    signatures = ", ".join(sorted(tf.saved_model.load(args.directory).signatures))
    print(f"SavedModel of {args.preset}: {args.directory} (signatures: {signatures})")
    return 0
