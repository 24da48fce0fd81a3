"""What continuous flows share: solvers that count and raise, penalties in training, and how their parts are built."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.bijectors import ActNorm, Continuous
from flowzoo.bijectors.continuous import NOISES
from flowzoo.conditioners import Velocity
from flowzoo.conditioners.velocity import ACTIVATIONS
from flowzoo.core import validation
from flowzoo.core.checks import check_count
from flowzoo.core.context import Context, check_context
from flowzoo.core.graphs import Graph
from flowzoo.core.transform import Transform
from flowzoo.families.family import Family
from flowzoo.families.options import Options, option
from flowzoo.families.values import LAYERS, WIDTH, Count, Number, OneOf
from flowzoo.objectives.registry import LIKELIHOOD
from flowzoo.ode import Solver
from flowzoo.ode.solver import GRADIENTS
from flowzoo.ode.tableaus import TABLEAUS

SOLVER = ("method", "rtol", "atol", "steps", "max_steps", "gradient")  # options of a family that are a `Solver`'s
TRACE = ("time", "probes", "noise", "exact_up_to", "evaluation_probes", "kinetic", "jacobian")  # and of a `Continuous`


def activation(default: str = "tanh") -> Any:
    """The option of a family for the activation between the layers of its networks."""
    return option(default, OneOf(tuple(sorted(ACTIVATIONS))), '"tanh", "softplus" or "swish".')


@dataclasses.dataclass(frozen=True)
class Solved:
    """The options of a solver, which follow the family's own."""

    time: float = option(1.0, Number(), "the integration time.")
    method: str = option("dopri5", OneOf(tuple(sorted(TABLEAUS))), "see `flowzoo.ode.Solver`.")
    rtol: float = option(1e-6, Number(), "relative tolerance of a step.", aka="tol tolerance")
    atol: float = option(1e-6, Number(), "absolute tolerance of a step.")
    steps: int = option(16, Count(1, WIDTH), "number of steps of the fixed-step methods.")
    max_steps: int = option(128, Count(1, WIDTH), "attempted steps, accepted or not, before a row fails.")
    gradient: str = option(
        "solver", OneOf(tuple(sorted(GRADIENTS))), 'by "solver" or "adjoint", see `flowzoo.ode.Solver`.'
    )


@dataclasses.dataclass(frozen=True)
class Estimated:
    """The options of an estimated trace and of RNODE's penalties, which follow those of the solver."""

    probes: int = option(1, Count(0, LAYERS), "directions per row in training; 0 for the exact trace.")
    noise: str = option("rademacher", OneOf(NOISES), "distribution of the directions, one of `NOISES`.")
    exact_up_to: int = option(64, Count(0, None), "dimensions up to which the trace is exact outside training.")
    evaluation_probes: int = option(
        16, Count(2, LAYERS), "directions per row outside training, above `exact_up_to` dimensions."
    )
    kinetic: float = option(0.0, Number(zero=True), "weight of the penalty on velocities; 0.01 in the paper.")
    jacobian: float = option(0.0, Number(zero=True), "weight of the penalty on Jacobians; 0.01 in the paper.")


class ContinuousFlow(Family):
    """A flow with `Continuous` transforms, whose options include those of `Solved`.

    When `fit` trains by the likelihood, its logs have `evaluations`, the mean number of velocity evaluations per row on
    the way to the latent; `loss` includes the penalties.

    Methods called from Python, except `solve_counts`, raise `SolverError` for rows that could not be solved; graphs
    give NaN, which samples of integers can't show.
    """

    offers = Family.offers | {"solve_counts"}

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.evaluations = keras.metrics.Mean("evaluations")

    def objective(self, x, condition=None, context: Context | None = None) -> tf.Tensor:
        context = check_context(context)
        found = super().objective(x, condition, context)
        if "evaluations" in context.notes:
            self.evaluations.update_state(tf.cast(context.notes["evaluations"], tf.float32))
        return found

    def encode(self, x, condition=None, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
        found = super().encode(x, condition, seed)
        return self._solved(found, lambda: self.raw.encode(*self.intake.tensors(x, condition), self.raw.as_seed(seed)))

    def decode(self, z, condition=None, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
        def again():
            given = self.intake.conditions(condition, len(z))
            return self.raw.decode(tf.convert_to_tensor(z), given, self.raw.as_seed(seed))

        return self._solved(super().decode(z, condition, seed), again)

    def sample(self, n: int, condition=None, temperature=1.0, seed=None, batch_size: int | None = None) -> tf.Tensor:
        seed = validation.check_seed_of_rows(seed, check_count(n, "n", least=0))  # one, if it is to be drawn
        x = super().sample(n, condition, temperature, seed, batch_size)

        def again():
            how = tf.constant(validation.check_temperature(temperature, n))
            given = self.intake.conditions(condition, n, shared=True)
            return self.raw.sample(validation.check_seeds(seed, n), how, given)

        return self._solved(x, again)

    def reconstruction_error(self, x, condition=None, seed: int = 0) -> tf.Tensor:
        found, raw = super().reconstruction_error(x, condition, seed), self.raw
        return self._solved(
            found, lambda: raw.reconstruction_error(*self.intake.tensors(x, condition), raw.as_seed(seed))
        )

    def solve_counts(self, x, condition=None, seed: int = 0) -> np.ndarray:
        """The number of velocity evaluations for each row of x on the way to the latent: (batch,)."""
        return self._counts_graph(*self.intake.tensors(x, condition), self.raw.as_seed(seed)).numpy()

    def log_prob_error(self, x, condition=None, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
        """log p(x) and its standard error over the probes of the trace, both (batch,); the error is 0 if exact."""
        found = self._error_graph(*self.intake.tensors(x, condition), self.raw.as_seed(seed))
        return self._solved(found, lambda: self._error(*self.intake.tensors(x, condition), self.raw.as_seed(seed)))

    def get_metrics_result(self) -> dict:
        logs = super().get_metrics_result()
        if self.training_objective != LIKELIHOOD:  # nothing is solved
            logs.pop("evaluations", None)
        return logs

    def __dir__(self):
        return sorted({*super().__dir__()} - {"evaluations"})  # no part of a checkpoint

    def _counts(self, x, condition, seed):
        return tf.cast(self.raw.objective(x, condition, seed)[1]["evaluations"], tf.float32)

    def _error(self, x, condition, seed):
        found, notes = self.raw.objective(x, condition, seed)
        return -found, tf.sqrt(notes["variance"])

    def _log_prob(self, function, x, condition, seed, samples):
        found, raw = super()._log_prob(function, x, condition, seed, samples), self.raw
        return self._solved(found, lambda: raw.log_prob(x, condition, raw.as_seed(seed), samples))

    _counts_graph = Graph(_counts)
    _error_graph = Graph(_error)

    def _solved(self, results, again: Callable[[], Any]):
        """`results`; if one is not finite, an eager pass, which raises where a solver failed."""
        if tf.executing_eagerly() and not all(np.isfinite(part).all() for part in tf.nest.flatten(results)):
            again()
        return results


def continuous_parts(options: Options, shape: tuple[int, ...], seed: int) -> list[Transform]:
    """`depth` times an ActNorm and a `Continuous` on events of this shape, with weights from this seed."""
    solver = Solver(**{key: getattr(options, key) for key in SOLVER})
    how = {key: getattr(options, key) for key in TRACE if hasattr(options, key)}
    hidden, dtype, parts = [options.hidden] * options.blocks, options.dtype, []
    for i in range(seed, seed + options.depth):
        net = {"activation": options.activation, "gain": getattr(options, "gain", 1.0), "seed": i, "dtype": dtype}
        network = Velocity(shape, hidden, options.condition_size, **net)
        parts += [ActNorm(shape, dtype=dtype), Continuous(network, solver, seed=i, dtype=dtype, **how)]
    return parts
