"""`flowzoo info NAME`: the card of a preset."""

import argparse

from flowzoo.cli.common import add_preset
from flowzoo.cli.writing import add_json, print_json

NAME, HELP = "info", "Show the card of a preset, and where its files are."
EXAMPLES = """
  flowzoo info glow-mnist
  flowzoo info glow-mnist@1 --json
"""
TENSORFLOW = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_preset(parser)
    add_json(parser, "the whole record")


def run(args: argparse.Namespace) -> int:
    """Print the card: in short, or all of it as JSON."""
    from flowzoo.cards.card import card, summary

    preset = card(args.preset)
    if args.json:
        print_json(preset.to_dict())
        return 0
    print(summary(preset))
    if not preset.trained:
        print(f"  files      {'none' if preset.recipe_only else 'none yet'}")
        return 0
    from flowzoo.hub import store

    size = sum(file["bytes"] for file in preset.files.values())
    weights = store.find(preset, store.folder(args.preset))
    where = weights.parent if weights else f"not here: flowzoo download {args.preset}"
    print(f"  files      {size / 2**20:.1f} MiB, {where}")
    return 0
