"""flowzoo's calls, for `all.py`: what a user types, with the defaults, and the private functions beneath."""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

import calls
import keras
import protocol
import tensorflow as tf

import flowzoo
from flowzoo.core import random


class Flowzoo(calls.Calls):
    """A flow by `flowzoo.create`, compiled with Adam."""

    def __init__(self, model):
        self.batch = protocol.BATCHES[model]
        if model.startswith("glow"):
            size = {"event_shape": protocol.IMAGE, "levels": protocol.LEVELS, "depth": protocol.STEPS}
        else:
            size = {"event_shape": (protocol.FEATURES,), "depth": protocol.DEPTH}
        if model == "glow-bfloat16":
            size["conditioner_dtype"] = "mixed_bfloat16"
        self.flow = flowzoo.create(model.removesuffix("-bfloat16"), hidden=protocol.HIDDEN, **size)
        self.flow.adapt(protocol.data(model, self.batch))
        self.flow.compile(keras.optimizers.Adam(protocol.RATE))

    def fit(self, x, epochs):
        ends = []
        note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
        self.flow.fit(x, batch_size=self.batch, epochs=epochs, verbose=0, callbacks=[note])
        return ends

    def log_prob(self, x):
        return self.flow.log_prob(x).numpy()

    def score(self, x):
        return self.flow.score(x)

    def sample(self, n):
        return self.flow.sample(n).numpy()

    def private(self, what, x):
        name, how = what.split(", ")
        raw, x, seeds, temperature = self.flow.raw, tf.constant(x), random.row_seeds(0, len(x)), tf.ones([len(x)])
        seed, weights = tf.constant(0, tf.uint32), self.flow.trainable_variables
        self.flow.optimizer.build(weights)
        if how == "SavedModel":
            with tempfile.TemporaryDirectory() as folder:
                served = tf.saved_model.load(str(self.flow.export(Path(folder) / "1"))).signatures[name]
            return lambda: served(seed=seeds, temperature=temperature)["x"].numpy()

        def step():
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(raw.log_prob(x, None, seed, 1))
            self.flow.optimizer.apply(tape.gradient(loss, weights), weights)
            return loss

        functions = {
            "step": step,
            "log_prob": lambda: raw.log_prob(x, None, seed, 1),
            "sample": lambda: raw.sample(seeds, temperature, None),
        }
        compiled = tf.function(functions[name], jit_compile=how == "XLA", autograph=False)
        return lambda: compiled().numpy()


if __name__ == "__main__":
    calls.serve(Flowzoo)
