"""What the check of a training step for finite numbers costs: python benchmarks/finite_check.py.

Two equal Glows train on the same batch in turn, one with the check and one without, so that the machine's mood falls
on both. Printed are the operations that the check adds to the graph, and the ratio of the times of a step, over blocks.
"""

import collections
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

from absl import app, flags

DEPTH = flags.DEFINE_integer("depth", 8, "Steps of flow per level (K).")
LEVELS = flags.DEFINE_integer("levels", 3, "Levels (L).")
HIDDEN = flags.DEFINE_integer("hidden", 128, "Channels of the hidden layers.")
BATCH = flags.DEFINE_integer("batch", 32, "Images per step.")
BLOCKS = flags.DEFINE_integer("blocks", 12, "Pairs of blocks.", lower_bound=2)
STEPS = flags.DEFINE_integer("steps", 3, "Steps per block.", lower_bound=1)


def main(argv):
    import keras
    import numpy as np
    import tensorflow as tf

    import flowzoo

    shape = (32, 32, 3)
    x = np.random.default_rng(0).integers(0, 256, (BATCH.value, *shape), dtype=np.uint8)

    def made(checked):
        flow = flowzoo.create("glow", event_shape=shape, levels=LEVELS.value, depth=DEPTH.value, hidden=HIDDEN.value)
        flow.adapt(x)
        flow.compile(keras.optimizers.Adam(1e-4))
        if not checked:
            flow.require_finite = lambda *_: tf.constant(True)
        flow.train_on_batch(x)
        return flow

    def operations(flow):
        step = tf.function(lambda x: flow.train_step((x,)), autograph=False)
        graph = step.get_concrete_function(tf.TensorSpec([None, *shape], tf.uint8)).graph
        return collections.Counter(operation.type for operation in graph.get_operations())

    def seconds(flow):
        start = time.perf_counter()
        for _ in range(STEPS.value):
            flow.train_on_batch(x)
        return (time.perf_counter() - start) / STEPS.value

    checked, plain = made(True), made(False)
    with_check, without = operations(checked), operations(plain)
    added = ", ".join(f"{count} {kind}" for kind, count in (with_check - without).most_common())
    print(f"{without.total()} operations, {with_check.total() - without.total()} more with the check: {added}")
    pairs = [(seconds(checked), seconds(plain)) for _ in range(BLOCKS.value)]
    ratios = sorted(with_check / without for with_check, without in pairs)
    print(f"{statistics.median(plain for _, plain in pairs):.3f} s per step without")
    print(
        f"ratio {statistics.median(ratios):.3f} (median; {ratios[0]:.3f} to {ratios[-1]:.3f} over {len(ratios)} blocks)"
    )


if __name__ == "__main__":
    app.run(main)
