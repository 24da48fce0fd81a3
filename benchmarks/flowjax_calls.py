"""FlowJAX's calls, for `all.py`: `fit_to_data`, and densities and samples under JAX's jit."""

import itertools
import time
from unittest import mock

import calls
import equinox as eqx
import flowjax.train.loops
import jax
import numpy as np
import optax
import protocol
from flowjax import bijections, distributions, flows
from flowjax.train.losses import MaximumLikelihoodLoss


class FlowJAX(calls.Calls):
    """A flow whose parameters are an argument of the functions that jit compiles."""

    def __init__(self, model):
        key = jax.random.key(0)
        base = distributions.Normal(jax.numpy.zeros(protocol.FEATURES))
        size = {"flow_layers": protocol.DEPTH, "nn_width": protocol.HIDDEN, "nn_depth": 2, "invert": True}
        spline = bijections.RationalQuadraticSpline(knots=protocol.BINS, interval=3)
        make, transformer = {
            "maf": (flows.masked_autoregressive_flow, None),
            "nsf-ar": (flows.masked_autoregressive_flow, spline),
            "realnvp": (flows.coupling_flow, bijections.Affine()),
            "nsf-coupling": (flows.coupling_flow, spline),
        }[model]
        given = {"transformer": transformer} if transformer else {}
        self.flow = make(key, base_dist=base, **given, **size)
        self.batch = protocol.BATCHES[model]
        self.optimizer, self.loss = optax.adam(protocol.RATE), MaximumLikelihoodLoss()  # another would be compiled anew
        self.parameters, static = eqx.partition(self.flow, eqx.is_inexact_array)
        self.keys = itertools.cycle(jax.random.split(key, 64))  # made beforehand
        self.jitted_log_prob = jax.jit(lambda p, x: eqx.combine(p, static).log_prob(x))
        self.jitted_sample = jax.jit(lambda p, key, n: eqx.combine(p, static).sample(key, (n,)), static_argnums=2)

        @jax.jit
        def step(parameters, state, x):
            loss, gradients = jax.value_and_grad(lambda p: -eqx.combine(p, static).log_prob(x).mean())(parameters)
            updates, state = self.optimizer.update(gradients, state, parameters)
            return eqx.apply_updates(parameters, updates), state, loss

        self.step = step

    def fit(self, x, epochs):
        """By `fit_to_data`, which validates after each epoch: here on one further batch, the least it takes."""
        times = []

        class Loop(flowjax.train.loops.tqdm):  # its progress bar, the only thing that knows where an epoch ends
            def __iter__(self):
                for epoch in super().__iter__():
                    yield epoch
                    times.append(time.perf_counter())

        with mock.patch.object(flowjax.train.loops, "tqdm", Loop):
            flowjax.train.loops.fit_to_data(
                jax.random.key(0),
                self.flow,
                np.concatenate([x, x[: self.batch]]),
                loss_fn=self.loss,
                optimizer=self.optimizer,
                max_epochs=epochs,
                batch_size=self.batch,
                val_prop=self.batch / (len(x) + self.batch),
                show_progress=False,
            )
        return times

    def log_prob(self, x):
        return np.asarray(self.jitted_log_prob(self.parameters, x))

    def sample(self, n):
        return np.asarray(self.jitted_sample(self.parameters, next(self.keys), n))

    def private(self, what, x):
        if what != "step":
            return super().private(what, x)
        state, x = self.optimizer.init(self.parameters), jax.numpy.asarray(x)
        return lambda: jax.block_until_ready(self.step(self.parameters, state, x))


if __name__ == "__main__":
    calls.serve(FlowJAX)
