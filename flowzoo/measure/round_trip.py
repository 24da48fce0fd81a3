"""The measurements behind a card: mean and error, reconstruction, log-determinant against autodiff."""

import math
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from flowzoo.core.progress import bar

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow

_ROWS = 56  # rows of the Jacobian per pass: memory of a training batch of that size


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """The mean of `values` (n,) and its standard error, std / sqrt(n); NaN for one value, which has no spread."""
    values = values.astype(np.float64)
    error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return float(values.mean()), error


def reconstruction_error(flow: "Flow", x: np.ndarray, condition: np.ndarray | None = None) -> float:
    """The largest |decode(encode(y)) - y| over all entries of x after dequantization, in units of the data range."""
    batches = [slice(start, start + 64) for start in range(0, len(x), 64)]
    errors = [flow.reconstruction_error(x[b], None if condition is None else condition[b]) for b in batches]
    return float(np.max([np.max(error) for error in errors]))  # NumPy's max keeps a NaN, Python's loses it


def log_det_error(flow: "Flow", x: np.ndarray, condition: np.ndarray | None = None, *, progress: bool = False) -> float:
    """|log_det - log |det J|| in nats for one example, J being the autodiff Jacobian of the exact part of the flow.

    Args:
        flow: the flow.
        x: (1, *event_shape), one example in native units; the middle of its bin stands for an integer.
        condition: (1,) label or (1, features), if the flow takes one.
        progress: show a bar, on stderr, if it is a terminal.
    """
    bijection = flow.bijection
    y = tf.cast(x, bijection.event_dtype)
    y = (y + 0.5) * 2.0**-flow.bits if flow.bits else y
    condition = flow.raw.features(condition)
    size = math.prod(bijection.event_shape)

    @tf.function
    def jacobian_rows(picks):  # row i of the result is the gradient of latent entry picks[i]
        rows = tf.repeat(y, _ROWS, axis=0)
        repeated = None if condition is None else tf.repeat(condition, _ROWS, axis=0)
        with tf.GradientTape() as tape:
            tape.watch(rows)
            z = tf.reshape(bijection.encode(rows, repeated)[0], [_ROWS, size])
            picked = tf.reduce_sum(z * tf.one_hot(picks, size, dtype=z.dtype))
        return tf.reshape(tape.gradient(picked, rows), [_ROWS, size])

    parts = []
    with bar(size, "Jacobian", shown=progress) as done:
        for start in range(0, size, _ROWS):
            picks = tf.constant(np.minimum(np.arange(start, start + _ROWS), size - 1), tf.int32)
            parts.append(jacobian_rows(picks).numpy())
            done.update(min(_ROWS, size - start))
    jacobian = np.concatenate(parts)[:size]
    expected = np.linalg.slogdet(jacobian.astype(np.float64))[1]
    found = tf.function(bijection.encode)(y, condition)[1].numpy()[0]
    return float(abs(found - expected))
