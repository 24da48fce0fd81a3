"""Speed of FFJORD against zuko's CNF and torchdiffeq: python benchmarks/continuous.py.

Each library runs in a process of its own, one after the other, all in one run: the same concat-squash or dense network
(three hidden layers of 64 in the plane, two of 256 for 63 features), Dormand-Prince at rtol = atol = 1e-5, one
Rademacher probe in training, float32, standard normal numbers as data; the median of `--repeats`. All start from
random weights of the same size. The peers are an extra: pip install -e ".[bench]".
"""

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

import apart
import numpy as np
from absl import app, flags
from timing import seconds

BATCH = flags.DEFINE_integer("batch", 512, "Rows per call.", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 8, "Calls timed at least, after the first ones.", lower_bound=1)
CHILD = flags.DEFINE_string("child", None, "Used by the script itself: time one, 'LIBRARY FEATURES'.")
LIBRARIES = flags.DEFINE_list("libraries", ["flowzoo", "torchdiffeq", "zuko"], "Libraries.")
MODELS = flags.DEFINE_list("models", ["2", "63"], "Numbers of features.")

WIDTHS = {2: [64, 64, 64], 63: [256, 256]}
TOLERANCE = 1e-5
SIZE = 0.05  # of the random numbers added to all weights


def rate(call):
    """Rows per second of a call that does not return before its work is done."""
    call(), call()
    return BATCH.value / seconds(call, REPEATS.value, at_least=2.0)


def weights(features):
    """The matrices and biases of the dense layers, the same ones for every library."""
    numbers, sizes = np.random.default_rng(1), [features, *WIDTHS[features], features]
    for inputs, outputs in itertools.pairwise(sizes):
        yield (numbers.standard_normal((inputs, outputs)) / np.sqrt(inputs)).astype(np.float32)
        yield (SIZE * numbers.standard_normal(outputs)).astype(np.float32)


def time_flowzoo(features, x):
    """Rates and evaluations by what was measured."""
    import keras
    import tensorflow as tf

    import flowzoo
    from flowzoo.core import random

    widths = WIDTHS[features]
    size = {"hidden": widths[0], "blocks": len(widths)}
    flow = flowzoo.create("ffjord", event_shape=(features,), **size, standardize=False, rtol=TOLERANCE, atol=TOLERANCE)
    given = list(weights(features))
    for layer, kernel, bias in zip(flow.transform.transforms[1].velocity.layers, given[::2], given[1::2], strict=True):
        layer.kernel.assign(kernel)
        layer.bias.assign(bias)
    x, seeds, temperature = tf.constant(x), random.row_seeds(0, len(x)), tf.ones([len(x)])
    flow.compile(keras.optimizers.Adam(1e-6))
    seed, optimizer = tf.constant(0, tf.uint32), flow.optimizer  # with the fused update that `fit` uses
    optimizer.build(flow.transform.transforms[1].trainable_variables)

    def step(objective):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(flow.raw.objective(x, None, seed, objective, "store", True)[0])
        trained = flow.transform.transforms[1].trainable_variables  # flow matching leaves the ActNorm as it is
        optimizer.apply(tape.gradient(loss, trained), trained)
        return loss

    def evaluations():
        return flow.raw.objective(x, None, seed, "likelihood", "store", True)[1]["evaluations"]

    counts = tf.function(evaluations, autograph=False)()
    found = {"evaluations, mean row": float(np.mean(counts)), "evaluations, worst row": float(np.max(counts))}
    work = {
        "train": lambda: step("likelihood"),
        "flow matching": lambda: step("flow_matching"),
        "sample": lambda: flow.raw.sample(seeds, temperature, None),
    }
    for name, function in work.items():
        for how, xla in (("graph", False), ("XLA", True)):
            compiled = tf.function(function, jit_compile=xla, autograph=False)
            found[f"{name}, {how}"] = rate(lambda compiled=compiled: compiled().numpy())
    return found


class _Torch:
    """The same network and the same estimate in PyTorch."""

    def __init__(self, features):
        import torch

        given, layers = list(weights(features)), []
        for kernel, bias in zip(given[::2], given[1::2], strict=True):
            layer = torch.nn.Linear(*kernel.shape)
            layer.weight.data, layer.bias.data = torch.from_numpy(kernel.T.copy()), torch.from_numpy(bias)
            layers.append(layer)
        self.layers = torch.nn.ModuleList(layers)
        self.gates = torch.nn.ModuleList(torch.nn.Linear(1, len(layer.bias)) for layer in layers)
        self.shifts = torch.nn.ModuleList(torch.nn.Linear(1, len(layer.bias), bias=False) for layer in layers)
        self.parameters = [p for part in (self.layers, self.gates, self.shifts) for p in part.parameters()]
        self.count = 0

    def velocity(self, t, y):
        import torch

        self.count += 1
        t = t.reshape(1, 1)
        for i, (layer, gate, shift) in enumerate(zip(self.layers, self.gates, self.shifts, strict=True)):
            y = layer(y) * torch.sigmoid(gate(t)) + shift(t)
            y = torch.tanh(y) if i < len(self.layers) - 1 else y
        return y


def time_torchdiffeq(features, x):
    """FFJORD on torchdiffeq, gradients through the solver."""
    import torch
    from torchdiffeq import odeint

    model, x = _Torch(features), torch.from_numpy(x)
    optimizer = torch.optim.Adam(model.parameters, 1e-6)
    probe = torch.sign(torch.randn(x.shape, generator=torch.Generator().manual_seed(0)))
    times, options = torch.tensor([0.0, 1.0]), {"method": "dopri5", "rtol": TOLERANCE, "atol": TOLERANCE}

    def with_trace(t, state):
        with torch.enable_grad():
            y = state[0].requires_grad_(True)
            velocity = model.velocity(t, y)
            product = torch.autograd.grad(velocity, y, probe, create_graph=True)[0]
        return velocity, (product * probe).sum(dim=1)

    def train():
        optimizer.zero_grad()
        model.count = 0
        z, log_det = (part[-1] for part in odeint(with_trace, (x, torch.zeros(len(x))), times, **options))
        (0.5 * (z**2).sum(dim=1) - log_det).mean().backward()
        optimizer.step()

    def sample():
        with torch.no_grad():
            odeint(model.velocity, torch.randn(x.shape), times.flip(0), **options)

    train()
    found = {"evaluations": float(model.count)}
    return found | {"train": rate(train), "sample": rate(sample)}


def time_zuko(features, x):
    """zuko's CNF, which integrates with its own solver and the adjoint."""
    import torch
    import zuko

    widths = WIDTHS[features]
    flow = zuko.flows.CNF(features=features, hidden_features=widths, activation=torch.nn.Tanh, exact=False)
    for part in flow.modules():
        if hasattr(part, "atol") and hasattr(part, "rtol"):
            part.atol = part.rtol = TOLERANCE
    optimizer, x = torch.optim.Adam(flow.parameters(), 1e-6), torch.from_numpy(x)

    def train():
        optimizer.zero_grad()
        (-flow().log_prob(x).mean()).backward()
        optimizer.step()

    def sample():
        with torch.no_grad():
            flow().sample((len(x),))

    return {"train": rate(train), "sample": rate(sample)}


def child():
    library, features = CHILD.value.split()
    x = np.random.default_rng(0).standard_normal((BATCH.value, int(features))).astype(np.float32)
    work = {"flowzoo": time_flowzoo, "torchdiffeq": time_torchdiffeq, "zuko": time_zuko}
    apart.show(work[library](int(features), x))


def main(argv):
    if CHILD.value:
        return child()
    print(f"{'features':10}{'library':14}{'what':26}{'rows/s or count':>16}")
    for features in MODELS.value:
        for library in LIBRARIES.value:
            try:
                found = apart.measured(f"{library} {features}")
            except apart.Failed as problem:
                print(f"{features:10}{library:14}{str(problem).splitlines()[-1]}", flush=True)
                continue
            for what, value in found.items():
                print(f"{features:10}{library:14}{what:26}{value:16,.0f}", flush=True)
    return None


if __name__ == "__main__":
    app.run(main)
