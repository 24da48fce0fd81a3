"""`flowzoo cache list|verify|clean`: what was downloaded, whether it is whole, and room for more."""

from __future__ import annotations

import argparse
from pathlib import Path

from flowzoo.cli.writing import add_json, print_json

NAME, HELP = "cache", "List, verify or clean the downloaded files; exit code 1 when `verify` finds a damaged one."
EXAMPLES = """
  flowzoo cache list
  flowzoo cache verify
  flowzoo cache clean --all --dry-run
"""
TENSORFLOW = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    what = "list all; verify their sha256; remove (`clean`) what is damaged or partial"
    parser.add_argument("action", choices=("list", "verify", "clean"), help=what)
    parser.add_argument("--all", action="store_true", help="clean: whole files, too")
    parser.add_argument("--dry-run", action="store_true", help="clean: only list what would be removed")
    add_json(parser, "folder and files")


def run(args: argparse.Namespace) -> int:
    """Print for each file what it is and the state it is in."""
    if (args.all or args.dry_run) and args.action != "clean":
        raise ValueError(f"--all and --dry-run go with `clean`, got `{args.action}`. Leave them out.")
    from flowzoo.core.errors import CheckpointError
    from flowzoo.hub import cache

    home = cache.home()
    if home.exists() and not home.is_dir():
        raise CheckpointError(f"the cache {home} is not a folder. Name another one by $FLOWZOO_HOME.")
    names, files = _names(), []
    for path, digest in cache.entries().items():
        size, state = path.stat().st_size, _state(path, digest, args)
        if state:
            file = names.get(digest, path.name)
            files.append({"file": file, "bytes": size, "state": state, "path": str(path)})
            if not args.json:
                print(f"{size:>12,}  {state:12}  {file}  {path}", flush=True)
    if args.json:
        print_json({"folder": str(home), "files": files})
    else:
        print(f"{len(files)} files, {sum(file['bytes'] for file in files):,} bytes: {home}")
    return int(args.action == "verify" and any(file["state"] not in ("whole", "partial") for file in files))


def _state(path: Path, digest: str, args: argparse.Namespace) -> str:
    """How a file is, or what was done with it; "" if `clean` leaves it alone."""
    from flowzoo.hub import cache

    if args.action == "list":
        return "partial" if cache.partial(path) else "not checked"
    if args.action == "clean":
        if not (args.all or cache.wrong(path, digest)):
            return ""
        return "would go" if args.dry_run else "removed" if cache.remove(path) else "in use, left"
    return cache.wrong(path, digest) or "whole"


def _names() -> dict[str, str]:
    """What a digest is, for the files of flowzoo's own presets and of those whose JSON is in the cache."""
    from flowzoo.core.errors import PresetError
    from flowzoo.hub import cache
    from flowzoo.hub.presets import list_presets, read_preset

    names = {}
    for source in [*list_presets(), *(path for path in cache.entries() if path.suffix == ".json")]:
        try:
            preset = read_preset(source)
        except PresetError:
            continue  # damaged; `verify` says so
        for file, expected in (preset.files or {}).items():
            names[expected["sha256"]] = f"{preset.name}@{preset.revision} {file}"
    return names
