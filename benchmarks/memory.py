"""Peak memory of one training step of Glow by depth and `backprop`: python benchmarks/memory.py.

Each configuration runs in a process of its own. Memory is what TensorFlow's own allocator reports: with
TF_CPU_ALLOCATOR_USE_BFC its statistics exist on the CPU too, and count what tensors took, exact to the byte, neither
Python, compiled code nor the fragments that resident memory would show. Printed is the peak of some steps above what
is held before the first one, when weights and optimizer slots are built: so gradients count as well.
"""

import os
import platform
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

import apart
from absl import app, flags

MODES = flags.DEFINE_list("modes", ["store", "remat", "reversible"], "Values of `flow.backprop`.")
DEPTHS = flags.DEFINE_list("depths", ["4", "32"], "Steps of flow per level (K).")
SIDE = flags.DEFINE_integer("side", 32, "Height and width of the images.")
LEVELS = flags.DEFINE_integer("levels", 3, "Levels (L).")
HIDDEN = flags.DEFINE_integer("hidden", 64, "Channels of the hidden layers.")
BATCH = flags.DEFINE_integer("batch", 64, "Images per step.")
ACCUMULATE = flags.DEFINE_integer("accumulate", 1, "Micro-batches per step.")
CLIP_NORM = flags.DEFINE_float("clip_norm", 0.0, "Bound on the gradient's norm: needs all gradients at one time.")
STEPS = flags.DEFINE_integer("steps", 3, "Steps measured, after a first one.")
CHILD = flags.DEFINE_string("child", None, "Used by this script itself: measure one configuration, 'MODE DEPTH'.")

# Where one thread runs all operations, it updates the weights last and holds all gradients until then.
SETTINGS = {"TF_CPU_ALLOCATOR_USE_BFC": "1", "TF_NUM_INTEROP_THREADS": "2"}


def measure(mode, depth):
    """{"peak": bytes above weights and slots, "fixed": bytes of those, "seconds": per step, "first": of the first}."""
    import keras
    import numpy as np
    import tensorflow as tf

    import flowzoo

    shape = (SIDE.value, SIDE.value, 3)
    flow = flowzoo.create("glow", event_shape=shape, levels=LEVELS.value, depth=depth, hidden=HIDDEN.value)
    flow.backprop, flow.accumulate = mode, ACCUMULATE.value
    flow.compile(keras.optimizers.Adam(global_clipnorm=CLIP_NORM.value or None))
    flow.optimizer.build(flow.trainable_variables)
    x = np.random.default_rng(0).integers(0, 256, (BATCH.value, *shape), dtype=np.uint8)
    fixed, peaks, seconds = tf.config.experimental.get_memory_info("CPU:0")["current"], [], []
    for _ in range(1 + STEPS.value):  # the first one traces and optimizes the graph
        tf.config.experimental.reset_memory_stats("CPU:0")
        start = time.perf_counter()
        flow.train_on_batch(x)
        seconds.append(time.perf_counter() - start)
        peaks.append(tf.config.experimental.get_memory_info("CPU:0")["peak"])
    return {"peak": max(peaks[1:]) - fixed, "fixed": fixed, "seconds": min(seconds[1:]), "first": seconds[0]}


def main(argv):
    if CHILD.value:
        mode, depth = CHILD.value.split()
        apart.show(measure(mode, int(depth)))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(
        "| backprop | K | peak above weights and slots, MiB | ratio to the first K | weights and slots, MiB | s/step |"
    )
    print("|---|---|---|---|---|---|")
    for mode in MODES.value:
        first = None
        for depth in DEPTHS.value:
            found = apart.measured(f"{mode} {depth}", **SETTINGS)
            first = first or found["peak"]
            peak, fixed = found["peak"] / 2**20, found["fixed"] / 2**20
            ratio = found["peak"] / first
            print(f"| {mode} | {depth} | {peak:.1f} | {ratio:.2f} | {fixed:.1f} | {found['seconds']:.2f} |", flush=True)


if __name__ == "__main__":
    app.run(main)
