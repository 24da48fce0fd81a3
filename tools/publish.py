"""Publish a finished training run under its preset: weights, pictures, measured numbers.

python tools/publish.py --preset=glow-fashion-mnist --workdir=runs/glow-fashion-mnist
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from absl import app, flags

_PRESET = flags.DEFINE_string("preset", None, "The preset, or the path of its .json.", required=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the finished run.", required=True)
_FORCE = flags.DEFINE_bool("force", False, "Publish what is unfinished, of another recipe, or worse.")
_EXAMPLES = flags.DEFINE_integer("examples", None, "Only so many test examples; needs --force.", lower_bound=2)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS' folder; TFDS' default if not given.")


def main(argv: list[str]) -> None:
    """Publish, and show the card."""
    if len(argv) > 1:
        raise app.UsageError(f"expected no arguments, got {argv[1:]}.")
    from flowzoo.zoo.card import summary
    from flowzoo.zoo.publish import publish

    options = {"force": _FORCE.value, "examples": _EXAMPLES.value, "data_dir": _DATA_DIR.value}
    try:
        preset = publish(_PRESET.value, _WORKDIR.value, **options)
    except (ValueError, TypeError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(summary(preset))
    print("Run `python tools/make_cards.py` to renew docs/models, MODEL_CARDS.md and the README's table.")


if __name__ == "__main__":
    app.run(main)
