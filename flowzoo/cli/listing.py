"""`flowzoo list`: the presets and what they measured."""

import argparse
import json

NAME, HELP = "list", "List the presets."
TENSORFLOW = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("pattern", nargs="?", default="*", help="shell-style pattern, such as 'glow-*'")
    parser.add_argument("--json", action="store_true", help="print a JSON list of the presets")


def run(args: argparse.Namespace) -> int:
    """Print one line for each preset that matches."""
    from flowzoo.errors import PresetError
    from flowzoo.zoo.preset import Preset, list_presets

    presets = [Preset.read(name) for name in list_presets(args.pattern)]
    if not presets:
        raise PresetError(f"no preset matches {args.pattern!r}. Known: {', '.join(list_presets())}.")
    if args.json:
        print(json.dumps([preset.to_dict() for preset in presets], indent=2))
        return 0
    width = max(len(preset.name) for preset in presets)
    for preset in presets:
        absent = "recipe only" if preset.recipe_only else "no weights yet"
        value = preset.likelihood.text(preset.measured, absent)
        print(f"{preset.name:{width}}  {value:15}  {preset.description}")
    return 0
