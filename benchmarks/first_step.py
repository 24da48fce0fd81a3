"""Seconds from `fit` to the end of its first step, by depth and optimizer: python benchmarks/first_step.py.

Each run is a process of its own, as a second flow of a process is traced faster. `--beside=DIR` times another checkout
in turn with this one, so that the machine's mood falls on both; `git worktree add DIR REVISION` makes one.
"""

import os
import platform
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, os.environ.get("FIRST_STEP_OF", str(HERE)))  # works from a checkout, installed or not

import apart  # noqa: E402
from absl import app, flags  # noqa: E402

DEPTHS = flags.DEFINE_list("depths", ["8", "32"], "Steps of flow per level (K).")
OPTIMIZERS = flags.DEFINE_list("optimizers", ["Adam"], "Classes of keras.optimizers.")
RUNS = flags.DEFINE_integer("runs", 3, "Processes per configuration.", lower_bound=1)
BESIDE = flags.DEFINE_string("beside", None, "Another checkout, timed in turn.")
CHILD = flags.DEFINE_string("child", None, "Used by this script itself: time one configuration, 'DEPTH OPTIMIZER'.")


def measure(depth, optimizer):
    """{"first": seconds until the end of the first step, "step": median seconds of those after it}."""
    import keras
    import numpy as np

    import flowzoo

    flow = flowzoo.create("glow", event_shape=(32, 32, 3), levels=3, depth=depth, hidden=128)
    x = np.random.default_rng(0).integers(0, 256, (9 * 32, 32, 32, 3), dtype=np.uint8)
    flow.adapt(x[:32])
    flow.compile(getattr(keras.optimizers, optimizer)(1e-4))
    times = []
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: times.append(time.perf_counter()))
    start = time.perf_counter()
    flow.fit(x, batch_size=32, verbose=0, callbacks=[note])
    return {"first": times[0] - start, "step": statistics.median(np.diff(times))}


def main(argv):
    if CHILD.value:
        depth, optimizer = CHILD.value.split()
        apart.show(measure(int(depth), optimizer))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, median of {RUNS.value}")
    print("| checkout | K | optimizer | first step, s | each run | s/step after |")
    print("|---|---|---|---|---|---|")
    for depth in DEPTHS.value:
        for optimizer in OPTIMIZERS.value:
            runs = {checkout: [] for checkout in filter(None, (BESIDE.value, str(HERE)))}
            for _ in range(RUNS.value):
                for checkout, found in runs.items():
                    found.append(apart.measured(f"{depth} {optimizer}", FIRST_STEP_OF=checkout, PYTHONPATH=checkout))
            for checkout, found in runs.items():
                first = [run["first"] for run in found]
                step = statistics.median(run["step"] for run in found)
                name, each = Path(checkout).name, " ".join(f"{value:.1f}" for value in first)
                print(
                    f"| {name} | {depth} | {optimizer} | {statistics.median(first):.1f} | {each} | {step:.3f} |",
                    flush=True,
                )


if __name__ == "__main__":
    app.run(main)
