"""`flowzoo list`: the presets, what they are and what they measured."""

import argparse
from typing import TYPE_CHECKING

from flowzoo.cli.writing import add_json, print_json

if TYPE_CHECKING:
    from flowzoo.record.preset import Preset

NAME, HELP = (
    "list",
    "List the presets: family, data, parameters, number on test, size of the weights, licences.",
)
EXAMPLES = """
  flowzoo list
  flowzoo list "glow-*" --json
"""
TENSORFLOW = False

COLUMNS = ("preset", "family", "data", "parameters", "test", "size", "licence of weights; data")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("pattern", nargs="?", default="*", help="shell-style pattern, such as 'glow-*'")
    add_json(parser, "the whole record of each")


def run(args: argparse.Namespace) -> int:
    """Print one line for each preset that matches."""
    from flowzoo.core.errors import PresetError
    from flowzoo.hub.presets import list_presets, read_preset

    presets = [read_preset(name) for name in list_presets(args.pattern)]
    if not presets:
        raise PresetError(f"no preset matches {args.pattern!r}. Known: {', '.join(list_presets())}.")
    if args.json:
        print_json([preset.to_dict() for preset in presets])
        return 0
    rows = [COLUMNS, *map(_row, presets)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if name in ("parameters", "size") else cell.ljust(width)
            for name, cell, width in zip(COLUMNS, row, widths, strict=True)
        ]
        print("  ".join(cells).rstrip())
    return 0


def _row(preset: "Preset") -> tuple[str, ...]:
    from flowzoo.hub.store import WEIGHTS
    from flowzoo.measure.registry import headline_text

    test = headline_text(preset, "no weights yet")
    size = f"{preset.files[WEIGHTS]['bytes'] / 2**20:.1f} MiB" if preset.trained else "-"
    count = f"{preset.parameters:,}" if preset.parameters else "-"
    licence = f"{preset.licence['weights']}; {preset.licence['data']}"
    return preset.name, preset.family, preset.dataset["name"], count, test, size, licence
