"""Publish a finished training run under its preset, or presets with weights to a hub (docs/hub.md).

python tools/publish.py --preset=glow-fashion-mnist --workdir=runs/glow-fashion-mnist
python tools/publish.py --preset=glow-mnist,realnvp-mnist --hub=hub
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from absl import app, flags

_PRESET = flags.DEFINE_list("preset", None, "The preset, or the path of its .json; with --hub several, or 'all'.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the finished run.")
_HUB = flags.DEFINE_string("hub", None, "Root of the hub; it is made if need be.")
_VERIFY = flags.DEFINE_bool("verify", True, "--hub: measure each card again, and refuse one with a number that is off.")
_FORCE = flags.DEFINE_bool("force", False, "--workdir: publish what is unfinished, of another recipe, or worse.")
_EXAMPLES = flags.DEFINE_integer("examples", None, "--workdir: only so many; needs --force.", lower_bound=2)
_DRAWS = flags.DEFINE_integer("draws", None, "--workdir: noise draws per example of a bound.", lower_bound=1)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS' folder; TFDS' default if not given.")
flags.mark_flag_as_required("preset")
flags.mark_flags_as_mutual_exclusive(["workdir", "hub"], required=True)


def main(argv: list[str]) -> int:
    """What `flowzoo publish` does."""
    if len(argv) > 1:
        raise app.UsageError(f"expected no arguments, got {argv[1:]}.")
    from flowzoo.cli.main import main as flowzoo

    presets = ["--all"] if _PRESET.value == ["all"] else _PRESET.value
    options = {"workdir": _WORKDIR.value, "hub": _HUB.value, "data-dir": _DATA_DIR.value}
    options |= {"examples": _EXAMPLES.value, "draws": _DRAWS.value}
    switches = ["--force"] * _FORCE.value + ["--no-verify"] * (not _VERIFY.value)
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    code = flowzoo(["publish", *presets, *given, *switches])
    if not code and _WORKDIR.value:
        print("Run `python tools/make_cards.py` to renew docs/models, MODEL_CARDS.md and the README's table.")
    return code


if __name__ == "__main__":
    app.run(main)
