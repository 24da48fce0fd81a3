"""Speed of vector flows against FlowJAX and zuko, one row per library and model: python benchmarks/autoregressive.py.

Each library runs in a process of its own, one after the other, all in one run: 43 features, batch 512, 5 transforms,
two hidden layers of 128, splines with 8 bins, float32, standard normal numbers as data; the median of `--repeats`.
flowzoo is timed as a graph, under XLA, and from a SavedModel without XLA. The peers are an extra:
pip install -e ".[bench]".
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

import numpy as np
from absl import app, flags
from peers import BATCH, CHILD, rate, timed_apart

MODELS = flags.DEFINE_list("models", ["maf", "nsf-ar", "realnvp", "nsf-coupling"], "Models.")
LIBRARIES = flags.DEFINE_list("libraries", ["flowzoo", "flowjax", "zuko"], "Libraries.")

FEATURES, DEPTH, HIDDEN, BINS = 43, 5, 128, 8


def time_flowzoo(model, x):
    """Rates by what was timed."""
    import keras
    import tensorflow as tf

    import flowzoo
    from flowzoo.core import random

    flow = flowzoo.create(model, event_shape=(FEATURES,), depth=DEPTH, hidden=HIDDEN, standardize=False)
    flow.adapt(x)
    x, seeds, temperature = tf.constant(x), random.row_seeds(0, len(x)), tf.ones([len(x)])
    optimizer = keras.optimizers.Adam(1e-4)
    optimizer.build(flow.trainable_variables)

    def train():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.raw.log_prob(x, None, tf.constant(0, tf.uint32), 1))
        optimizer.apply(tape.gradient(loss, flow.trainable_variables), flow.trainable_variables)
        return loss

    work = {
        "train": train,
        "log_prob": lambda: flow.raw.log_prob(x, None, tf.constant(0, tf.uint32), 1),
        "sample": lambda: flow.raw.sample(seeds, temperature, None),
    }
    rates = {}
    for name, function in work.items():
        for how, xla in (("graph", False), ("XLA", True)):
            compiled = tf.function(function, jit_compile=xla, autograph=False)
            rates[f"{name}, {how}"] = rate(lambda compiled=compiled: compiled().numpy())
    with tempfile.TemporaryDirectory() as folder:
        served = tf.saved_model.load(str(flow.export(Path(folder) / "1"))).signatures["sample"]
        rates["sample, SavedModel"] = rate(lambda: served(seed=seeds, temperature=temperature)["x"].numpy())
    return rates


def time_flowjax(model, x):
    """Rates by what was timed, all under JAX's jit."""
    import equinox as eqx
    import jax
    import optax
    from flowjax import bijections, distributions, flows

    key = jax.random.key(0)
    base = distributions.Normal(jax.numpy.zeros(FEATURES))
    common = {"base_dist": base, "flow_layers": DEPTH, "nn_width": HIDDEN, "nn_depth": 2, "invert": True}
    spline = bijections.RationalQuadraticSpline(knots=BINS, interval=3)
    flow = {
        "maf": lambda: flows.masked_autoregressive_flow(key, **common),
        "nsf-ar": lambda: flows.masked_autoregressive_flow(key, transformer=spline, **common),
        "realnvp": lambda: flows.coupling_flow(key, transformer=bijections.Affine(), **common),
        "nsf-coupling": lambda: flows.coupling_flow(key, transformer=spline, **common),
    }[model]()
    parameters, static = eqx.partition(flow, eqx.is_inexact_array)
    optimizer = optax.adam(1e-4)
    state = optimizer.init(parameters)
    x = jax.numpy.asarray(x)

    @jax.jit
    def train(parameters, state):
        loss, gradients = jax.value_and_grad(lambda p: -eqx.combine(p, static).log_prob(x).mean())(parameters)
        updates, state = optimizer.update(gradients, state, parameters)
        return eqx.apply_updates(parameters, updates), state, loss

    log_prob = jax.jit(lambda p: eqx.combine(p, static).log_prob(x))
    sample = jax.jit(lambda p: eqx.combine(p, static).sample(key, (len(x),)))
    return {
        "train": rate(lambda: jax.block_until_ready(train(parameters, state))),
        "log_prob": rate(lambda: jax.block_until_ready(log_prob(parameters))),
        "sample": rate(lambda: jax.block_until_ready(sample(parameters))),
    }


def time_zuko(model, x):
    """Rates by what was timed, in PyTorch's eager mode, as zuko is used."""
    import torch
    import zuko

    common = {"features": FEATURES, "transforms": DEPTH, "hidden_features": [HIDDEN, HIDDEN]}
    flow = {
        "maf": lambda: zuko.flows.MAF(**common),
        "nsf-ar": lambda: zuko.flows.NSF(bins=BINS, **common),
        "realnvp": lambda: zuko.flows.RealNVP(**common),
        "nsf-coupling": lambda: zuko.flows.NSF(bins=BINS, passes=2, **common),
    }[model]()
    optimizer, x = torch.optim.Adam(flow.parameters(), 1e-4), torch.from_numpy(x)

    def train():
        optimizer.zero_grad()
        (-flow().log_prob(x).mean()).backward()
        optimizer.step()

    def without_gradients(call):
        with torch.no_grad():
            return call()

    return {
        "train": rate(train),
        "log_prob": rate(lambda: without_gradients(lambda: flow().log_prob(x))),
        "sample": rate(lambda: without_gradients(lambda: flow().sample((len(x),)))),
    }


def child():
    library, model = CHILD.value.split()
    x = np.random.default_rng(0).standard_normal((BATCH.value, FEATURES)).astype(np.float32)
    print(json.dumps({"flowzoo": time_flowzoo, "flowjax": time_flowjax, "zuko": time_zuko}[library](model, x)))


def main(argv):
    if CHILD.value:
        return child()
    print(f"{'model':14}{'library':10}{'what':24}{'rows/s':>12}{'x FlowJAX':>12}")
    for model in MODELS.value:
        reference = {}
        for library in sorted(LIBRARIES.value, key=lambda name: name != "flowjax"):  # first, as the others refer to it
            rates = timed_apart(__file__, library, model)
            if isinstance(rates, str):
                print(f"{model:14}{library:10}{rates}", flush=True)
                continue
            reference = rates if library == "flowjax" else reference
            for what, value in rates.items():
                other = reference.get(what.split(",")[0])
                ratio = f"{value / other:.2f}" if other else ""
                print(f"{model:14}{library:10}{what:24}{value:12,.0f}{ratio:>12}", flush=True)
    return None


if __name__ == "__main__":
    app.run(main)
