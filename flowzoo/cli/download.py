"""`flowzoo download NAME...`: fetch presets before they are needed."""

import argparse

from flowzoo.cli.writing import add_json, print_json

NAME, HELP = "download", "Get the files of presets that are not here from the hubs, and check those that are."
EXAMPLES = """
  flowzoo download glow-mnist glow-cifar10@1
  FLOWZOO_HUB=https://example.org/zoo flowzoo download --all
"""
TENSORFLOW = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("presets", nargs="*", metavar="NAME", help="a preset of `flowzoo list`, or its NAME@REVISION")
    parser.add_argument("--all", action="store_true", help="every preset that has weights")
    add_json(parser, "preset, file, bytes and path of each")


def run(args: argparse.Namespace) -> int:
    """Check or download each file, and say where it is."""
    from flowzoo.hub import store
    from flowzoo.hub.presets import list_presets, read_preset

    if bool(args.presets) == args.all:
        raise ValueError(f"expected presets or --all, got {'both' if args.all else 'neither'}. Pass one.")
    found = []
    for name in args.presets or list_presets(weights=True):
        preset = read_preset(name)
        for file in preset.files or [store.WEIGHTS]:  # where there are none, `checked_file` says so
            path = store.checked_file(preset, store.folder(name), file)
            size = preset.files[file]["bytes"]
            found.append({"preset": f"{preset.name}@{preset.revision}", "file": file, "bytes": size, "path": str(path)})
            if not args.json:
                print(f"{preset.name}@{preset.revision}  {size:>12,}  {path}", flush=True)
    if args.json:
        print_json(found)
    return 0
