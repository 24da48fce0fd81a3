"""A tiny training: a flow on a noisy circle, or on the fixture's images; also a process that dies where it is told to.

python -m tests.training.toy WORKDIR [MOMENT COUNT] trains the image preset deterministically, with a state at every
step, and kills itself at the COUNT-th time it comes to MOMENT: "write" (half of a state is written), "rename" (before
the rename), "renamed" (after it), "best" (half of the best weights are written).
"""

import contextlib
import os
import signal
import sys

import numpy as np

CIRCLE = {
    "family": "realnvp",
    "config": {"event_shape": [2], "depth": 2, "hidden": 8, "blocks": 1, "seed": 0},
    "dataset": {"name": "circle", "bits": 0, "labels": False},
}
IMAGES = {
    "family": "realnvp",
    "config": {"event_shape": [28, 28, 1], "bits": 8, "levels": 1, "depth": 1, "hidden": 2, "blocks": 1, "seed": 0},
    "dataset": {"name": "fashion_mnist", "bits": 8, "labels": False},
}
TRAINING = {
    "seed": 3,
    "batch_size": 8,
    "steps": 12,
    "optimizer": "adam",
    "learning_rate": 0.003,
    "warmup_steps": 3,
    "decay": "cosine",
    "final_learning_rate": 1e-5,
    "clip_norm": 10.0,
    "ema": 0.8,
    "flip": False,
    "conditioner_dtype": "float32",
    "validate_every": 5,
    "validation_examples": 16,
    "patience": 0,
    "adapt_examples": 32,
    "jit_compile": False,
}


def preset(what, *earlier, **training):
    """The preset of `CIRCLE` or `IMAGES`, with changes to its recipe, after a stage for each of `earlier`."""
    from flowzoo.record.preset import Preset

    return Preset.from_dict(
        {
            "name": "toy",
            "revision": 1,
            "description": "For tests.",
            **what,
            "training": [*(TRAINING | changes for changes in earlier), TRAINING | training],
            "licence": {"code": "Apache-2.0", "weights": "Apache-2.0", "data": "MIT"},
            "paper": {"title": "t", "authors": "a", "year": 2017, "arxiv": "1605.08803"},
            "published": [],
        }
    )


class Circle:
    """Stands for `flowzoo.training.sources.Sources`; `changed(step, batch)` may alter a batch."""

    fixture = None
    changed = staticmethod(lambda step, x: x)

    def __init__(self, preset, recipe, fixture=False):
        self.recipe = recipe
        self.validation = (self._points(10_000, recipe.validation_examples), None)

    def batches(self, start_step):
        import itertools

        import tensorflow as tf

        def stream():
            for step in itertools.count(start_step):
                yield type(self).changed(step, self._points(step, self.recipe.batch_size))

        return tf.data.Dataset.from_generator(stream, output_signature=tf.TensorSpec([None, 2], tf.float32))

    def first(self, count):
        return self._points(20_000, count), None

    def _points(self, number, count):
        noise = np.random.default_rng([self.recipe.seed, number])
        angle = noise.uniform(0, 2 * np.pi, count)
        points = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.1 * noise.standard_normal((count, 2))
        return points.astype(np.float32)


def fixture_as_data():
    """Lets `flowzoo.data.load` read the fixture's images, whichever split; returns the function it replaces."""
    from flowzoo import data
    from flowzoo.data import arrays

    original, arrays.read = arrays.read, lambda name, split, data_dir=None: data.fixture(name)
    return original


class Bomb:
    """Kills this process the COUNT-th time it is set off."""

    def __init__(self, count):
        self.left = count

    def __call__(self):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(moment, count):
    """Plants a bomb."""
    bomb = Bomb(count)
    if moment == "write":
        save = np.savez

        def cut(file, **arrays):
            save(file, **arrays)
            if bomb.left == 1:
                file.truncate(file.tell() // 2)
                file.flush()
            bomb()

        np.savez = cut
    elif moment in ("rename", "renamed"):
        replace = os.replace

        def rename(source, target):
            if "state-" not in str(target):
                return replace(source, target)
            if moment == "rename":
                bomb()
            replace(source, target)
            return bomb() if moment == "renamed" else None

        os.replace = rename
    elif moment == "best":
        from flowzoo.core import files

        atomic = files.atomic

        @contextlib.contextmanager
        def cut(path):
            with atomic(path) as file:
                yield file
                if "best.weights" in str(path):
                    if bomb.left == 1:
                        file.truncate(file.tell() // 2)
                        file.flush()
                    bomb()

        files.atomic = cut
    else:
        raise ValueError(f"unknown moment {moment!r}")


if __name__ == "__main__":
    from flowzoo import training

    fixture_as_data()
    if len(sys.argv) > 2:
        arm(sys.argv[2], int(sys.argv[3]))
    training.run(preset(IMAGES), sys.argv[1], deterministic=True, save_minutes=0)
