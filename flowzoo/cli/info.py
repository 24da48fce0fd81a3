"""`flowzoo info NAME`: the card of a preset."""

import argparse
import json

from flowzoo.cli.common import add_preset

NAME, HELP = "info", "Show the card of a preset."
TENSORFLOW = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    parser.add_argument("--json", action="store_true", help="print the whole record as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the card: in short, or all of it as JSON."""
    from flowzoo.zoo import store
    from flowzoo.zoo.card import card, summary

    preset = card(args.preset)
    if args.json:
        print(json.dumps(preset.to_dict(), indent=2))
    else:
        print(summary(preset))
        absent = "none" if preset.recipe_only else "none yet"
        print(f"  files      {store.folder(args.preset) if preset.trained else absent}")
    return 0
