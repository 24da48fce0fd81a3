"""Seconds of a fresh process until it has drawn a sample from a preset, by part: python benchmarks/loading.py."""

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

import apart
from absl import app, flags

PRESETS = flags.DEFINE_list("presets", ["glow-celeba64", "maf-bsds300"], "Presets.")
RUNS = flags.DEFINE_integer("runs", 5, "Processes per preset.", lower_bound=1)
CHILD = flags.DEFINE_string("child", None, "Used by the script itself: load one, 'PRESET TIME', when it was started.")


def measure(preset, started):
    """Seconds {"import": also of starting Python, "load": ..., "sample": of the first, "all": ...}."""
    import flowzoo

    imported = time.time()
    flow = flowzoo.load(preset)
    loaded = time.time()
    flow.sample(1, seed=0).numpy()
    drawn = time.time()
    return {
        "import": imported - started,
        "load": loaded - imported,
        "sample": drawn - loaded,
        "all": drawn - started,
    }


def main(argv):
    if CHILD.value:
        preset, started = CHILD.value.split()
        apart.show(measure(preset, float(started)))
        return
    parts = ("import", "load", "sample", "all")
    print("| preset | import, s | load, s | first sample, s | all, s | each run |")
    print("|---|---|---|---|---|---|")
    for preset in PRESETS.value:
        runs = [apart.measured(f"{preset} {time.time()}") for _ in range(RUNS.value)]
        medians = [f"{statistics.median(run[part] for run in runs):.2f}" for part in parts]
        each = " ".join(f"{run['all']:.2f}" for run in runs)
        print(f"| {preset} | {' | '.join(medians)} | {each} |", flush=True)


if __name__ == "__main__":
    app.run(main)
