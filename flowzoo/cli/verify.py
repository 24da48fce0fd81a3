"""`flowzoo verify NAME... | --all`: measure the numbers of cards again."""

import argparse
import json

from flowzoo.cli.common import add_data_dir, positive

NAME, HELP = "verify", "Measure the numbers of presets' cards again: paper, card, now; exit code 1 when one is off."
EXAMPLES = """
  flowzoo verify glow-mnist
  flowzoo verify planar-rezende-u1 radial-rezende-u1 --json
  flowzoo verify --all
"""
TENSORFLOW = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    several = "presets of `flowzoo list`, or their NAME@REVISION, or .json files"
    parser.add_argument("presets", nargs="*", metavar="NAME", help=several)
    parser.add_argument("--all", action="store_true", help="every preset with weights")
    add_data_dir(parser)
    parser.add_argument("--examples", type=positive, metavar="N", help="score the first N test examples only")
    parser.add_argument("--exhaustive", action="store_true", help="also Jacobians of over 4,096 dimensions: minutes")
    parser.add_argument("--update", action="store_true", help="write the certificate into the card, if all else holds")
    parser.add_argument("--json", action="store_true", help="print the report as JSON; of several presets a list")


def run(args: argparse.Namespace) -> int:
    """Measure and report; 1 when a number is off."""
    import flowzoo
    from flowzoo.zoo.verify import renew

    if bool(args.presets) == args.all:
        raise ValueError("name presets or pass --all, and not both. `flowzoo list` shows them.")
    reports = []
    for name in args.presets or flowzoo.list_presets(weights=True):
        report = flowzoo.verify(name, data_dir=args.data_dir, examples=args.examples, exhaustive=args.exhaustive)
        reports.append(report)
        if not args.json:
            print(report, flush=True)
        if args.update:
            renew(name, report)
    if args.json:
        found = [report.to_dict() for report in reports]
        print(json.dumps(found[0] if len(found) == 1 and not args.all else found, indent=2))
    return 0 if all(report.ok for report in reports) else 1
