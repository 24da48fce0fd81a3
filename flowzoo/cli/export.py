"""`flowzoo export NAME DIR`: a SavedModel for TensorFlow Serving."""

import argparse

from flowzoo.cli.common import add_preset, positive
from flowzoo.cli.writing import add_json, report

NAME, HELP = "export", "Write a preset as a SavedModel, for TensorFlow Serving or plain TensorFlow."
EXAMPLES = """
  flowzoo export glow-mnist models
  flowzoo export glow-mnist models --version=2 --weights=bfloat16
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    parser.add_argument("directory", metavar="DIR", help="of models; the SavedModel goes to DIR/<name>/<version>")
    parser.add_argument("--version", type=positive, metavar="N", help="its number (the preset's revision)")
    parser.add_argument("--overwrite", action="store_true", help="replace the version that is there")
    stored = "how weights are stored (float32); all is computed in float32"
    parser.add_argument("--weights", default="float32", choices=("float32", "bfloat16", "float16"), help=stored)
    unchecked = "let bad rows give NaN instead of refusing their batch, for servers that merge requests"
    parser.add_argument("--no-check", action="store_true", help=unchecked)
    add_json(parser, "folder and signatures")


def run(args: argparse.Namespace) -> int:
    """Load, export, and name the signatures."""
    from flowzoo.core.files import unwritable
    from flowzoo.hub.presets import read_preset

    preset = read_preset(args.preset)
    from flowzoo.serving import servable
    from flowzoo.serving.graph import signature_specs
    from flowzoo.serving.warmup import WARMUP

    path = servable.version_folder(preset, args.directory, args.version)
    if path.is_dir() and any(path.iterdir()) and not args.overwrite:
        raise ValueError(f"--version must be new, got {path}, which is there. Pass another one, or --overwrite.")
    if wrong := unwritable(path):
        raise ValueError(f"DIR {args.directory!r} {wrong}.")
    options = {"version": args.version, "overwrite": args.overwrite, "weights_dtype": args.weights}
    servable.export_preset(args.preset, args.directory, check=not args.no_check, **options)
    signatures, warm = list(signature_specs(path)), (path / WARMUP).exists()
    line = f"SavedModel of {args.preset}: {path} (signatures: {', '.join(signatures)})"
    if not warm:
        line += "\nwithout warm-up requests: run `pip install flowzoo[serving]` and export again for them"
    report(args, line, preset=args.preset, directory=str(path), signatures=signatures, warm_up=warm)
    return 0
