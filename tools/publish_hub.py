"""Add presets with weights to a hub, the static tree that `flowzoo.set_hub` reads; docs/hub.md tells how to host one.

python tools/publish_hub.py --folder=hub glow-mnist realnvp-mnist
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from absl import app, flags

_FOLDER = flags.DEFINE_string("folder", None, "Root of the hub; it is made if need be.", required=True)


def main(argv: list[str]) -> None:
    """Add the presets named, or all that have weights, and list what the hub has now."""
    from flowzoo.zoo.hub import write_tree
    from flowzoo.zoo.preset import list_presets

    try:
        revisions = write_tree(argv[1:] or list_presets(weights=True), _FOLDER.value)
    except (ValueError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    for name, numbers in sorted(revisions.items()):
        print(f"{name}: revisions {', '.join(sorted(numbers, key=int))}")


if __name__ == "__main__":
    app.run(main)
