"""`flowzoo export NAME DIR`: a SavedModel for TensorFlow Serving."""

import argparse
from pathlib import Path

from flowzoo.cli.common import add_preset
from flowzoo.cli.writing import add_json, tell

NAME, HELP = "export", "Write a preset as a SavedModel, for TensorFlow Serving or plain TensorFlow."
EXAMPLES = """
  flowzoo export glow-mnist glow-mnist/1
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    parser.add_argument("directory", metavar="DIR", help="a new or empty folder")
    parser.add_argument("--overwrite", action="store_true", help="replace what is in the folder")
    add_json(parser, "folder and signatures")


def run(args: argparse.Namespace) -> int:
    """Load, export, and name the signatures."""
    directory = Path(args.directory)
    if directory.is_dir() and any(directory.iterdir()) and not args.overwrite:
        raise ValueError(
            f"DIR must be a new or empty folder, got {directory} with something in it. "
            "Pass another one, or --overwrite to replace it."
        )
    import tensorflow as tf

    import flowzoo

    flowzoo.load(args.preset).export(directory, overwrite=args.overwrite)
    signatures = sorted(tf.saved_model.load(args.directory).signatures)
    line = f"SavedModel of {args.preset}: {args.directory} (signatures: {', '.join(signatures)})"
    tell(args, line, preset=args.preset, directory=args.directory, signatures=signatures)
    return 0
