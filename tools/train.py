"""Train a preset, or go on with its training: python tools/train.py --preset=NAME --workdir=DIR."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from absl import app, flags

PRESET = flags.DEFINE_string("preset", None, "Name of a preset, or the path of its .json file.", required=True)
WORKDIR = flags.DEFINE_string("workdir", None, "Folder for state, logs and weights.", required=True)
MAX_STEPS = flags.DEFINE_integer(
    "max_steps", None, "Pause here, 0 before the first step; the schedule remains the recipe's.", lower_bound=0
)
MAX_MINUTES = flags.DEFINE_float("max_minutes", None, "Pause after so many minutes.")
SAVE_MINUTES = flags.DEFINE_float("save_minutes", 5.0, "Minutes between states.")
SMOKE = flags.DEFINE_bool("smoke", False, "A few tiny steps, to see whether everything runs.")
DETERMINISTIC = flags.DEFINE_bool("deterministic", False, "Same seed, same machine: same bits. Slower.")
INIT_FROM = flags.DEFINE_string("init_from", None, "Start from the weights of a preset (its name) or a .weights.h5.")
BACKPROP = flags.DEFINE_enum(
    "backprop", "store", ["store", "remat", "reversible"], "Less memory for more time; see docs/memory.md."
)
ACCUMULATE = flags.DEFINE_integer("accumulate", 1, "Micro-batches that make one batch; for less memory.", lower_bound=1)
STRATEGY = flags.DEFINE_enum(
    "strategy",
    None,
    ["one", "mirrored", "multiworker", "tpu"],
    "One device, several, several processes, or a TPU. By default mirrored with --devices, tpu with --tpu, else one.",
)
DEVICES = flags.DEFINE_integer("devices", None, "For mirrored: how many GPUs, or, without any, logical CPU devices.")
TPU = flags.DEFINE_string("tpu", None, "For tpu: name or address; local on a TPU VM.")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments {argv[1:]}: give flags as --name=value.")
    from flowzoo import training
    from flowzoo.cli.train import train

    try:
        return train(
            PRESET.value,
            WORKDIR.value,
            max_steps=MAX_STEPS.value,
            max_minutes=MAX_MINUTES.value,
            save_minutes=SAVE_MINUTES.value,
            smoke=SMOKE.value,
            deterministic=DETERMINISTIC.value,
            init_from=INIT_FROM.value,
            backprop=BACKPROP.value,
            accumulate=ACCUMULATE.value,
            strategy=STRATEGY.value,
            devices=DEVICES.value,
            tpu=TPU.value,
        )
    except (ValueError, TypeError, OSError, training.StateError, training.NonFiniteLoss, training.ChiefError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    app.run(main)
