"""`flowzoo verify NAME`: measure the numbers of a card again."""

import argparse
import json

from flowzoo.cli.common import add_preset, positive

NAME, HELP = "verify", "Measure the numbers of a preset's card again; exit code 1 when one is off."
EXAMPLES = """
  flowzoo verify glow-mnist
  flowzoo verify planar-rezende-u1 --json
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    parser.add_argument("--data-dir", metavar="DIR", help="TFDS' folder; TFDS' default if not given")
    parser.add_argument("--examples", type=positive, metavar="N", help="score the first N test examples only")
    parser.add_argument("--exhaustive", action="store_true", help="also Jacobians of over 4,096 dimensions: minutes")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure and report; 1 when a number is off."""
    import flowzoo

    report = flowzoo.verify(args.preset, data_dir=args.data_dir, examples=args.examples, exhaustive=args.exhaustive)
    print(json.dumps(report.to_dict(), indent=2) if args.json else report)
    return 0 if report.ok else 1
