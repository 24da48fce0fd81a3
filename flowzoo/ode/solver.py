"""Initial value problems of many rows at once, each with its own time, step size and error.

All rows go through one bounded loop, in which a row that has finished or failed stands still. So no row changes even
the last bit of another, and a stiff one costs at most `max_steps` iterations, each over the whole batch.

References: Dormand & Prince 1980; Hairer, Norsett & Wanner 1993, Solving ordinary differential equations I, II.4.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from flowzoo.core.checks import check_count, check_number
from flowzoo.ode.tableaus import TABLEAUS, Tableau

Derivative = Callable[..., tf.Tensor]  # (t, y, *extras) -> dy/dt: (batch,), (batch, n) -> (batch, n)

GOING, DONE, TOO_MANY_STEPS, STEP_TOO_SMALL, NOT_FINITE = range(5)  # status of a row
SAFETY, SHRINK, GROW = 0.9, 0.2, 10.0  # of step sizes from one attempt to the next
LAST = 1e-4  # a step is the last one if less than this share of it would remain
GRADIENTS = ("solver", "adjoint")


@dataclasses.dataclass(frozen=True)
class Solver:
    """How an initial value problem is solved.

    Attributes:
      method: "dopri5", which adapts its steps to the tolerances, or "rk4", "midpoint", "euler" in `steps` equal steps.
      rtol, atol: the error of a step is kept below atol + rtol max(|y|, |new y|), as a root mean square over a row.
      steps: number of steps of the fixed-step methods.
      max_steps: attempted steps, accepted or not, before a row fails.
      gradient: "solver" differentiates the steps that were taken; it keeps the state before each of them. "adjoint"
        solves a second problem backwards and keeps nothing, at the price of errors as large as the tolerances.

    Raises:
      ValueError: one of them is out of range.
    """

    method: str = "dopri5"
    rtol: float = 1e-6
    atol: float = 1e-6
    steps: int = 16
    max_steps: int = 128
    gradient: str = "solver"

    def __post_init__(self):
        for name, known in (("method", TABLEAUS), ("gradient", GRADIENTS)):
            if getattr(self, name) not in known:
                raise ValueError(f"`{name}` must be one of {sorted(known)}, got {getattr(self, name)!r}.")
        for name in ("rtol", "atol"):
            check_number(getattr(self, name), name)
        for name in ("steps", "max_steps"):
            check_count(getattr(self, name), name)

    @property
    def tableau(self) -> Tableau:
        return TABLEAUS[self.method]

    @property
    def turns(self) -> int:
        """The most iterations of the loop."""
        return self.max_steps if self.tableau.error else self.steps


class Solution(NamedTuple):
    """The result of a solve, for each row.

    Attributes:
      y: (batch, n), NaN where the row failed.
      evaluations: (batch,) int32, of the derivative, that the row itself needed.
      status: (batch,) int32: `DONE`, `TOO_MANY_STEPS`, `STEP_TOO_SMALL` or `NOT_FINITE`.
      time: (batch,), the time reached.
      step: (batch,), the last step size.
    """

    y: tf.Tensor
    evaluations: tf.Tensor
    status: tf.Tensor
    time: tf.Tensor
    step: tf.Tensor


class SolverError(ValueError):
    """Some rows could not be solved; the message has the time and step size that the first one reached."""


class Steps(NamedTuple):
    """The attempted steps of a solve: their number, and for each the time, the size (0 where not taken) and y."""

    count: tf.Tensor
    time: tf.Tensor
    step: tf.Tensor
    y: tf.Tensor


def integrate(
    derivative: Derivative,
    y: tf.Tensor,
    length: float,
    solver: Solver,
    *,
    controlled: int | None = None,
    keep: bool = False,
    visit: Callable[..., Sequence[tf.Tensor]] | None = None,
    visited: Sequence[tf.Tensor] = (),
) -> tuple[Solution, Steps | None, Sequence[tf.Tensor]]:
    """Solves y' = derivative(t, y) from t = 0 to `length` > 0, without gradients.

    Args:
      derivative: without extras.
      y: (batch, n), the state at 0.
      length: of the integration interval.
      solver: how.
      controlled: how many entries of y, from the first on, the error is measured over; all if not given.
      keep: return the steps.
      visit: (visited, times, states, weights) -> visited, called after each attempt with the stages and a weight
        (batch,) for each, with which sums over all attempts give the integral over t.
      visited: what `visit` begins with.

    Returns:
      The solution, the steps or None, and `visited` at the end.
    """
    tableau, turns, rows = solver.tableau, solver.turns, tf.shape(y)[:1]
    zero, length = tf.zeros(rows, y.dtype), tf.constant(length, y.dtype)
    smallest = 16.0 * float(np.finfo(y.dtype.as_numpy_dtype).eps)  # step size in units of the length
    first = derivative(zero, y) if tableau.reuses_last else zero
    adaptive, beginning = tableau.error is not None, int(tableau.reuses_last)
    if adaptive:
        guess = _first_step(derivative, y, first, solver, controlled)
        step = tf.where(tf.math.is_finite(guess), tf.minimum(guess, length), smallest * length)
        beginning += 1
    else:
        step = zero + length / solver.steps
    kept = ()
    if keep:
        kept = tuple(_array(turns, like) for like in (zero, zero, y))

    def turn(i, t, step, y, first, status, tries, kept, visited):
        first = first if tableau.reuses_last else derivative(t, y)
        sound = tf.reduce_all(tf.math.is_finite(first), axis=1) & tf.reduce_all(tf.math.is_finite(y), axis=1)
        going, rest = (status == GOING) & sound, length - t
        last = step >= (1.0 - LAST) * rest
        tried = tf.where(going, tf.where(last, rest, step), 0.0)
        times, states, slopes = _stages(derivative, tableau, t, tried, y, first)
        new = states[-1] if tableau.reuses_last else y + tried[:, None] * _sum(tableau.weights, slopes)
        error = zero
        if adaptive:
            size = solver.atol + solver.rtol * tf.maximum(tf.abs(y), tf.abs(new))
            error = _norm(tried[:, None] * _sum(tableau.error, slopes) / size, controlled)
        accepted = going & (error <= 1.0)
        taken = tf.where(accepted, tried, 0.0)
        if kept:
            kept = tuple(array.write(i, value) for array, value in zip(kept, (t, taken, y), strict=True))
        if visit:
            visited = visit(visited, times, states, [weight * taken for weight in tableau.weights])
        if adaptive:
            step = tf.where(going, tried * _factor(error, tableau.order), step)
        stuck = going & ~accepted & (step < smallest * length)
        status = tf.where((status == GOING) & ~sound, NOT_FINITE, tf.where(stuck, STEP_TOO_SMALL, status))
        status = tf.where(accepted & last, DONE, status)
        y, t = tf.where(accepted[:, None], new, y), tf.where(accepted & last, length, t + taken)
        first = tf.where(accepted[:, None], slopes[-1], first) if tableau.reuses_last else zero
        return i + 1, t, step, y, first, status, tries + tf.cast(going, tf.int32), kept, visited

    state = (0, zero, step, y, first, tf.fill(rows, GOING), tf.zeros(rows, tf.int32), kept, tuple(visited))
    count, t, step, y, _, status, tries, kept, visited = tf.while_loop(
        lambda i, t, step, y, first, status, *_: tf.reduce_any(status == GOING),
        turn,
        state,
        maximum_iterations=turns,
    )
    status = tf.where(status == GOING, TOO_MANY_STEPS, status)
    y = tf.where((status == DONE)[:, None], y, tf.constant(math.nan, y.dtype))
    evaluations = beginning + tries * (len(tableau.nodes) - tableau.reuses_last)
    steps = Steps(count, *(array.stack() for array in kept)) if keep else None  # XLA hands no arrays to its caller
    return Solution(y, evaluations, status, t, step), steps, visited


def advance(derivative: Derivative, tableau: Tableau, t: tf.Tensor, step: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """y after one step of each row, as `integrate` takes it."""
    slopes = _stages(derivative, tableau, t, step, y, derivative(t, y), len(tableau.nodes) - tableau.reuses_last)[2]
    return y + step[:, None] * _sum(tableau.weights, slopes)


def require_done(solution: Solution, y: tf.Tensor, start: float, direction: float, solver: Solver) -> None:
    """`SolverError` if a row failed that was finite at the start; eager only."""
    status = np.asarray(solution.status)
    failed = np.flatnonzero((status != DONE) & np.isfinite(y).all(axis=1))
    if not len(failed):
        return
    row = failed[0]
    time, step = start + direction * float(solution.time[row]), float(solution.step[row])
    why = {
        TOO_MANY_STEPS: f"{solver.turns} steps were not enough",
        STEP_TOO_SMALL: "no step is small enough for the tolerances",
        NOT_FINITE: "the state or its derivative is not finite",
    }[status[row]]
    raise SolverError(
        f"{len(failed)} of {len(status)} rows were not solved, first row {row}: {why}; it reached time {time:.6g} with "
        f"a step size of {step:.3g}. Loosen `rtol` and `atol`, or raise `max_steps`, unless the input is at fault."
    )


def _array(size, like):
    array = tf.TensorArray(like.dtype, size, element_shape=like.shape, clear_after_read=False)
    return array.unstack(tf.zeros(tf.concat([[size], tf.shape(like)], axis=0), like.dtype))


def _stages(derivative, tableau, t, step, y, first, count=None):
    times, states, slopes = [t], [y], [first]
    for node, row in list(zip(tableau.nodes[1:], tableau.matrix, strict=True))[: count and count - 1]:
        times.append(t + node * step)
        states.append(y + step[:, None] * _sum(row, slopes))
        slopes.append(derivative(times[-1], states[-1]))
    return times, states, slopes


def _first_step(derivative, y, first, solver, controlled):
    """Hairer's guess: a step on which Euler's method errs by about a hundredth of the tolerance."""
    size, order = solver.atol + solver.rtol * tf.abs(y), solver.tableau.order
    d0, d1 = _norm(y / size, controlled), _norm(first / size, controlled)
    small = (d0 < 1e-5) | (d1 < 1e-5)
    step = tf.where(small, tf.constant(1e-6, y.dtype), 0.01 * d0 / tf.where(small, tf.ones_like(d1), d1))
    second = derivative(step, y + step[:, None] * first)
    d2 = _norm((second - first) / size, controlled) / step
    largest = tf.maximum(d1, d2)
    flat = largest <= 1e-15
    by_curve = tf.pow(0.01 / tf.where(flat, tf.ones_like(largest), largest), 1.0 / order)
    return tf.minimum(100.0 * step, tf.where(flat, tf.maximum(1e-3 * step, 1e-6), by_curve))


def _factor(error, order):
    """The factor for the next step size: at least 1 after a success, `SHRINK` where the error is not finite."""
    usable = tf.math.is_finite(error)
    positive = tf.maximum(tf.where(usable, error, 1.0), 1e-10)
    factor = SAFETY * tf.pow(positive, -1.0 / order)
    least = tf.where(error <= 1.0, tf.ones_like(error), SHRINK)
    return tf.where(usable, tf.clip_by_value(factor, least, GROW), SHRINK)


def _norm(values: tf.Tensor, controlled: int | None) -> tf.Tensor:
    return tf.sqrt(tf.reduce_mean(tf.square(values[:, :controlled]), axis=1))


def _sum(weights: Sequence[float], slopes: Sequence[Any]) -> Any:
    terms = [slope * weight for weight, slope in zip(weights, slopes, strict=False) if weight]
    return sum(terms[1:], start=terms[0])
