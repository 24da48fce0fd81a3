"""Add presets with weights to a hub, the static tree that `flowzoo.set_hub` reads; docs/hub.md tells how to host one.

python tools/publish_hub.py --folder=hub glow-mnist realnvp-mnist
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from absl import app, flags

_VERIFY = flags.DEFINE_bool("verify", True, "Measure each card again first, and refuse one with a number that is off.")
_EXAMPLES = flags.DEFINE_integer("examples", None, "Verify on the first so many test examples only.", lower_bound=1)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS' folder; TFDS' default if not given.")
_FOLDER = flags.DEFINE_string("folder", None, "Root of the hub; it is made if need be.", required=True)


def main(argv: list[str]) -> None:
    """Add the presets named, or all that have weights, and list what the hub has now."""
    from flowzoo.zoo.hub import write_tree, write_verified
    from flowzoo.zoo.preset import list_presets

    names = argv[1:] or list_presets(weights=True)
    try:
        if _VERIFY.value:
            revisions = write_verified(names, _FOLDER.value, examples=_EXAMPLES.value, data_dir=_DATA_DIR.value)
        else:
            revisions = write_tree(names, _FOLDER.value)
    except (ValueError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    for name, numbers in sorted(revisions.items()):
        print(f"{name}: revisions {', '.join(sorted(numbers, key=int))}")


if __name__ == "__main__":
    app.run(main)
