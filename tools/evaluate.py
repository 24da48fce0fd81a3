"""Measure a trained flow: python tools/evaluate.py --preset=NAME, or --workdir=DIR for a training of one's own."""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from absl import app, flags

PRESET = flags.DEFINE_string("preset", None, "Name of a published preset, or the path of its .json file.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a training: measures its best.weights.h5.")
SPLIT = flags.DEFINE_string("split", "test", "Which examples: train, validation, test, or another of the data set's.")
SEED = flags.DEFINE_integer("seed", 0, "Of the dequantization noise.")
DRAWS = flags.DEFINE_integer("draws", 1, "Noise draws per example; more give a tighter bound.", lower_bound=1)
LIMIT = flags.DEFINE_integer("limit", None, "Only the first so many examples.", lower_bound=1)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 128, "Examples per call; no effect on the numbers.", lower_bound=1)
DATA_DIR = flags.DEFINE_string("data_dir", None, "TFDS' folder; TFDS' default if not given.")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments {argv[1:]}: give flags as --name=value.")
    from flowzoo.zoo.evaluate import evaluate

    try:
        measured = evaluate(
            PRESET.value,
            WORKDIR.value,
            SPLIT.value,
            seed=SEED.value,
            draws=DRAWS.value,
            limit=LIMIT.value,
            batch_size=BATCH_SIZE.value,
            data_dir=DATA_DIR.value,
        )
    except (ValueError, TypeError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    app.run(main)
