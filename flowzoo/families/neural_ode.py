"""What continuous flows share: solvers that count and raise, penalties in training, and how their parts are built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.bijectors import ActNorm, Chain, Continuous, Multiscale, Squeeze
from flowzoo.conditioners import Velocity
from flowzoo.core import validation
from flowzoo.core.checks import check_count
from flowzoo.core.transform import Transform
from flowzoo.families.family import Family
from flowzoo.ode import Solver

SOLVER = ("method", "rtol", "atol", "steps", "max_steps", "gradient")  # options of a family that are a `Solver`'s
TRACE = ("time", "probes", "noise", "exact_up_to", "evaluation_probes", "kinetic", "jacobian")  # and of a `Continuous`


class ContinuousFlow(Family):
    """A flow with `Continuous` transforms; the arguments are those of `Family`.

    Under `fit` the logs have `evaluations`, how often a row's velocities were computed on the way to the latent, on
    average; `loss` includes the penalties.

    Methods called from Python raise `SolverError` for rows that could not be solved, but for `solve_counts`; graphs
    give NaN, which samples of integers can't show.
    """

    def __init__(self, transform: Transform, config: dict[str, Any], name: str | None):
        super().__init__(transform, config, name)
        self.evaluations = keras.metrics.Mean("evaluations")

    def call(self, x, condition=None, training: bool | None = None) -> tf.Tensor:
        """log p(x); under `fit` less the penalties, with noise that is new at each step."""
        log_prob, notes = self._penalized(x, condition, training, "evaluations")
        self.evaluations.update_state(tf.cast(notes["evaluations"], tf.float32))
        return log_prob

    def log_prob(self, x, condition=None, seed: int = 0, samples: int = 1) -> tf.Tensor:
        found, raw = super().log_prob(x, condition, seed, samples), self.raw
        return self._solved(found, lambda: raw.log_prob(*self._checked(x, condition), raw.as_seed(seed), samples))

    def encode(self, x, condition=None, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
        found = super().encode(x, condition, seed)
        return self._solved(found, lambda: self.raw.encode(*self._checked(x, condition), self.raw.as_seed(seed)))

    def decode(self, z, condition=None) -> tuple[tf.Tensor, tf.Tensor]:
        def again():
            return self.raw.decode(tf.convert_to_tensor(z), self._checked_condition(condition, len(z)))

        return self._solved(super().decode(z, condition), again)

    def sample(self, n: int, condition=None, temperature=1.0, seed=None, batch_size: int = 64) -> tf.Tensor:
        seeds = validation.check_seeds(seed, check_count(n, "n", least=0))
        x = super().sample(n, condition, temperature, seeds, batch_size)
        temperature = validation.check_temperature(temperature, n)
        condition = self._checked_condition(condition, n, shared=True)
        return self._solved(x, lambda: self.raw.sample(seeds, temperature, condition))

    def reconstruction_error(self, x, condition=None, seed: int = 0) -> tf.Tensor:
        found, raw = super().reconstruction_error(x, condition, seed), self.raw
        return self._solved(found, lambda: raw.reconstruction_error(*self._checked(x, condition), raw.as_seed(seed)))

    def solve_counts(self, x, condition=None, seed: int = 0) -> np.ndarray:
        """How often the velocities of each row of x were computed on the way to the latent: (batch,)."""
        return self._counts_graph(*self._checked(x, condition), self.raw.as_seed(seed)).numpy()

    def log_prob_error(self, x, condition=None, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
        """log p(x) and its standard error over the probes of the trace, both (batch,); the error is 0 if exact."""
        found = self._error_graph(*self._checked(x, condition), self.raw.as_seed(seed))
        return self._solved(found, lambda: self._error(*self._checked(x, condition), self.raw.as_seed(seed)))

    def __dir__(self):
        return sorted({*super().__dir__()} - {"evaluations"})  # no part of a checkpoint

    def _counts(self, x, condition, seed):
        notes = self.raw.noted(x, condition, seed, "store", False, ("evaluations",))[1]
        return tf.cast(notes["evaluations"], tf.float32)

    def _error(self, x, condition, seed):
        log_prob, notes = self.raw.noted(x, condition, seed, "store", False, ("variance",))
        return log_prob, tf.sqrt(notes["variance"])

    _counts_graph = tf.function(_counts, reduce_retracing=True, autograph=False)
    _error_graph = tf.function(_error, reduce_retracing=True, autograph=False)

    def _solved(self, results, again: Callable[[], Any]):
        """`results`; if one is not finite, an eager pass, which raises where a solver failed."""
        if tf.executing_eagerly() and not all(np.isfinite(part).all() for part in tf.nest.flatten(results)):
            again()
        return results


def continuous_parts(config: dict[str, Any], shape: tuple[int, ...]) -> list[Transform]:
    """`depth` times an ActNorm and a `Continuous` on events of this shape, built from a family's options."""
    solver = Solver(**{key: config[key] for key in SOLVER if key in config})
    options = {key: config[key] for key in TRACE if key in config}
    condition_features = config["classes"] or config["condition_features"]
    hidden, dtype, parts = [config["hidden"]] * config["blocks"], config["dtype"], []
    for i in range(config["depth"]):
        seed = config["seed"] + i
        network = Velocity(shape, hidden, condition_features, activation=config["activation"], seed=seed, dtype=dtype)
        parts += [ActNorm(shape, dtype=dtype), Continuous(network, solver, seed=seed, dtype=dtype, **options)]
    return parts


def multiscale(config: dict[str, Any], shape: tuple[int, ...]) -> Multiscale:
    """At each of `levels` scales a squeeze and `continuous_parts`; half of the channels leave between scales."""
    scales, seed = [], config["seed"]
    for level in range(config["levels"]):
        squeeze = Squeeze(shape)
        shape = squeeze.latent_shape
        scales.append(Chain([squeeze, *continuous_parts(config | {"seed": seed + level * config["depth"]}, shape)]))
        shape = (*shape[:2], shape[2] - shape[2] // 2)
    return Multiscale(scales)
