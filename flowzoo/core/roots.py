"""Roots of increasing functions, one per element, with implicit gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf


def monotone_root(
    function: Callable[..., tuple[tf.Tensor, tf.Tensor]],
    target: tf.Tensor,
    low: tf.Tensor,
    high: tf.Tensor,
    parameters: Sequence[tf.Tensor] = (),
    *,
    start: tf.Tensor | None = None,
    iterations: int = 100,
) -> tf.Tensor:
    """The t between `low` and `high` with f(t) = target, up to the rounding of f.

    Newton's method within a bracket that only shrinks, and bisection where Newton would leave it or its steps do not
    get shorter. Each element stops on its own, so that no other, not even a NaN, changes a bit of it. First derivatives
    are those of the implicit function, dt = (dtarget - df) / f'(t), however the root was found.

    Args:
      function: (t, *parameters) -> f(t) and its slope df/dt, both of the shape of t. f increases in t; its rounding
        errors are those of terms as large as t and the target. It must use no other tensor that needs a gradient.
      target, low, high: of one shape and dtype; the root lies between low <= high.
      parameters: tensors that broadcast against t.
      start: where to begin, the middle if not given. From the side where f is concave and below its target, or convex
        and above, Newton never overshoots.
      iterations: at most; most searches take fewer than ten.

    Returns:
      t: finite if all arguments are.
    """
    start = 0.5 * low + 0.5 * high if start is None else tf.clip_by_value(start, low, high)
    searched = [tf.stop_gradient(value) for value in (target, low, high, start, *parameters)]  # else loops are taped
    root = tf.stop_gradient(_search(function, *searched[:4], searched[4:], iterations))
    value, slope = function(root, *parameters)
    change = target - value
    return root + tf.math.divide_no_nan(change - tf.stop_gradient(change), tf.stop_gradient(slope))


def _search(function, target, low, high, start, parameters, iterations):
    half = tf.constant(0.5, start.dtype)
    rounding = 8.0 * float(np.finfo(start.dtype.as_numpy_dtype).eps)  # below that a last step is taken

    def advance(t, step, low, high, searching):
        value, slope = function(t, *parameters)
        excess = value - target
        low, high = tf.where(excess <= 0.0, t, low), tf.where(excess >= 0.0, t, high)
        middle, move = 0.5 * low + 0.5 * high, -excess / slope
        newton = t + move
        longest = tf.abs(step) * tf.where((move < 0.0) == (step < 0.0), half * 2.0, half)  # turning back must converge
        trusted = (newton > low) & (newton < high) & (tf.abs(move) <= longest)
        off = tf.abs(excess) > rounding * (tf.abs(t) + tf.abs(target))  # not so for NaN, which ends the search
        best = tf.where(searching, tf.where(trusted, newton, tf.where(off, middle, t)), t)
        going = searching & off & (best != t) & (low < middle) & (middle < high)
        return best, best - t, low, high, going

    state = (start, 2.0 * (high - low), low, high, tf.ones_like(start, tf.bool))
    return tf.while_loop(lambda *state: tf.reduce_any(state[-1]), advance, state, maximum_iterations=iterations)[0]
