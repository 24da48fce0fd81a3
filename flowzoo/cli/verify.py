"""`flowzoo verify NAME... | --all`: measure the numbers of cards again."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from flowzoo.cli.common import add_data_dir, one_line, positive
from flowzoo.cli.writing import add_json, print_json
from flowzoo.core.bars import bar

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
    add_json(parser, "the report, of several presets a list,")


def run(args: argparse.Namespace) -> int:
    """Measure and report each; 1 when a number is off, or one of several can't be measured."""
    import flowzoo

    if bool(args.presets) == args.all:
        raise ValueError("name presets or pass --all, and not both. `flowzoo list` shows them.")
    names, reports = args.presets or flowzoo.list_presets(weights=True), []
    several = len(names) > 1 or args.all
    with bar(len(names), "presets", shown=several) as done:

        def show(text: str) -> None:
            if not args.json:
                done.clear()
                print(text, flush=True)

        for name in names:
            reports.append(_verified(name, args, several, show))
            done.update()
    if args.json:
        print_json(reports if several else reports[0])
    return 0 if all(report["ok"] for report in reports) else 1


def _verified(name: str, args: argparse.Namespace, several: bool, show: Callable[[str], None]) -> dict[str, Any]:
    """Verifies one preset and shows the report; an error is part of it, unless there is nothing else to report."""
    import flowzoo
    from flowzoo.zoo.verify import renew

    how, found = {"data_dir": args.data_dir, "examples": args.examples, "exhaustive": args.exhaustive}, {}
    try:
        report = flowzoo.verify(name, **how, progress=True)
        found = report.to_dict()
        show(str(report))
        if args.update:
            renew(name, report)
    except (ValueError, TypeError, OSError) as error:  # what `main` takes for wrong input
        if args.debug or not (several or found):
            raise
        found = {"preset": name} | found | {"ok": False, "error": str(error)}
        show(f"{name}: failed: {one_line(error)}")
    return found
