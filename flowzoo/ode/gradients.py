"""Solutions with gradients: through the steps that were taken, or by the adjoint problem.

References: Chen et al. 2018, Neural ordinary differential equations, arXiv:1806.07366 (adjoint); Onken & Ruthotto 2020,
Discretize-optimize vs. optimize-discretize for time-series regression and continuous normalizing flows,
arXiv:2005.13420 (why through the steps).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.ode.solver import DONE, Derivative, Solution, Solver, advance, integrate, require_done


def solve(
    derivative: Derivative,
    y: tf.Tensor,
    start: float,
    end: float,
    extras: Sequence[tf.Tensor] = (),
    *,
    solver: Solver | None = None,
    controlled: int | None = None,
) -> Solution:
    """Solves dy/dt = derivative(t, y, *extras) from `start` to `end`, each row independently.

    Gradients reach y, the extras and all variables that the derivative reads, but not tensors that it closes over.

    Args:
      derivative: (t, y, *extras) -> (batch, n), where t is (batch,); computes row by row.
      y: (batch, n), float32 or float64: the state at `start`.
      start, end: times, in either order.
      extras: tensors whose first dimension is the batch.
      solver: how; `Solver()` if not given.
      controlled: how many entries of y, from the first on, the error is measured over; all if not given.

    Returns:
      The solution; its times and steps count from `start`. In a graph, failed rows are NaN. Where a row fails in the
      backward solve of an adjoint, its gradients are NaN, and so are those of the variables.

    Raises:
      SolverError: called eagerly, and a row that was finite failed.
      ValueError: y is of another shape or dtype, or a time is not finite.

    >>> import tensorflow as tf
    >>> round(float(solve(lambda t, y: -y, tf.constant([[1.0]]), 0.0, 2.0).y[0, 0]), 4)  # exp(-2)
    0.1353
    """
    solver, y = solver or Solver(), tf.convert_to_tensor(y)
    if y.dtype not in (tf.float32, tf.float64) or y.shape.rank != 2 or y.shape[1] == 0:
        raise ValueError(
            f"`y` must be (batch, n) of float32 or float64, got {y.dtype.name} and shape {tuple(y.shape)}."
        )
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ValueError(f"`start` and `end` must be finite, got {start} and {end}.")
    direction = 1.0 if end >= start else -1.0
    length = abs(end - start)

    def along(t, y, *extras):
        return direction * derivative(start + direction * t, y, *extras)

    @tf.custom_gradient
    def solved(y, *extras):
        def free(t, y):
            return along(t, y, *extras)

        keep = solver.gradient == "solver"
        solution, steps, _ = integrate(free, y, length, solver, controlled=controlled, keep=keep)

        def gradient(dy, *_, variables=()):
            variables = list(variables)
            if keep:
                found = _through_steps(along, steps, extras, variables, dy, solver)
            else:
                found = _adjoint(along, solution.y, length, extras, variables, dy, solver)
            inputs, weights = found[: 1 + len(extras)], found[1 + len(extras) :]
            return (inputs, weights) if variables else inputs

        return tuple(solution), gradient

    if length:
        solution = Solution(*solved(y, *extras))
    else:
        zero = tf.zeros_like(y[:, 0])
        solution = Solution(y, tf.zeros_like(zero, tf.int32), tf.ones_like(zero, tf.int32), zero, zero)
    if tf.executing_eagerly():
        require_done(solution, y, start, direction, solver)
    return solution


def _through_steps(along, steps, extras, variables, dy, solver):
    """The exact gradient of the steps, with their sizes held fixed, recomputing one step at a time."""

    def turn(i, dy, *sums):
        t, step, y = steps.time[i], steps.step[i], steps.y[i]
        with tf.GradientTape() as tape:
            tape.watch([y, *extras])
            new = advance(lambda t, y: along(t, y, *extras), solver.tableau, t, step, y)
        dy, *more = tape.gradient(new, [y, *extras, *variables], dy, tf.UnconnectedGradients.ZERO)
        return i - 1, dy, *(total + part for total, part in zip(sums, more, strict=True))

    state = (steps.count - 1, dy, *_zeros(extras, variables))
    return list(tf.while_loop(lambda i, *_: i >= 0, turn, state, maximum_iterations=solver.turns)[1:])


def _adjoint(along, y, length, extras, variables, dy, solver):
    """a = dL/dy(t) is solved backwards with y, a' = -a df/dy; sums along the way are the gradients of all else."""
    size = y.shape[1]
    largest = tf.reduce_max(tf.abs(dy), axis=1, keepdims=True)
    scale = tf.where(largest > 0.0, largest, tf.ones_like(largest))  # so that the tolerances mean the same for any loss

    def parts(t, state):
        return length - t, state[:, :size], state[:, size:]

    def backwards(t, state):
        t, y, a = parts(t, state)
        with tf.GradientTape() as tape:
            tape.watch(y)
            slope = along(t, y, *extras)
        return tf.concat([-slope, tape.gradient(slope, y, a, tf.UnconnectedGradients.ZERO)], axis=1)

    def visit(sums, times, states, weights):
        used = [(t, s, w) for t, s, w, b in zip(times, states, weights, solver.tableau.weights, strict=True) if b]
        for t, state, weight in used:
            t, y, a = parts(t, state)
            with tf.GradientTape() as tape:
                tape.watch(list(extras))
                slope = along(t, y, *extras)
            a = a * scale * weight[:, None]
            more = tape.gradient(slope, [*extras, *variables], a, tf.UnconnectedGradients.ZERO)
            sums = [total + part for total, part in zip(sums, more, strict=True)]
        return tuple(sums)

    state = tf.concat([y, dy / scale], axis=1)
    solution, _, sums = integrate(backwards, state, length, solver, visit=visit, visited=_zeros(extras, variables))
    lost = tf.where(solution.status == DONE, tf.zeros_like(solution.time), math.nan)  # the sums of these rows are cut
    of_rows = [lost[(..., *[None] * (extra.shape.rank - 1))] for extra in extras]
    gaps = [*of_rows, *[tf.reduce_sum(lost)] * len(variables)]
    return [
        solution.y[:, size:] * scale,
        *(total + tf.cast(gap, total.dtype) for total, gap in zip(sums, gaps, strict=True)),
    ]


def _zeros(extras, variables):
    return [*map(tf.zeros_like, extras), *(tf.zeros(variable.shape, variable.dtype) for variable in variables)]
