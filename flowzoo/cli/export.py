"""`flowzoo export NAME DIR`: a SavedModel for TensorFlow Serving."""

import argparse
from pathlib import Path

from flowzoo.cli.common import add_preset

NAME, HELP = "export", "Write a preset as a SavedModel, for TensorFlow Serving or plain TensorFlow."
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    parser.add_argument("directory", metavar="DIR", help="a new or empty folder")


def run(args: argparse.Namespace) -> int:
    """Load, export, and name the signatures."""
    directory = Path(args.directory)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ValueError(f"DIR must be a new or empty folder, got {directory} with something in it.")
    import tensorflow as tf

    import flowzoo

    flowzoo.load(args.preset).export(str(directory))
    signatures = ", ".join(sorted(tf.saved_model.load(str(directory)).signatures))
    print(f"SavedModel of {args.preset}: {directory} (signatures: {signatures})")
    return 0
