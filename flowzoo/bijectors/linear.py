"""Invertible linear maps of the last axis: a dense matrix, and fixed permutations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from flowzoo.core.checks import check_flag
from flowzoo.core.context import Context
from flowzoo.core.limits import require
from flowzoo.core.transform import Bijector, constant_log_det

ROUNDING = 1e-12  # variances up to this share of the largest are those of rounding errors


class InvertibleLinear(Bijector):
    """z = x W over the last axis, W = P L (U + diag(sign * exp(log_scale))); on images the 1x1 convolution of Glow.

    L is unit lower triangular, U strictly upper triangular, P a fixed permutation, so the log-determinant is a sum.
    Starts at a random orthogonal matrix, or permutation.

    Args:
      event_shape: (..., channels).
      permute: start at a permutation that moves every channel, so that channels mix only as far as that helps.
      seed: of the initial matrix.

    References: Kingma & Dhariwal 2018, Glow, arXiv:1807.03039; with a permutation Durkan et al. 2019, Neural spline
    flows, arXiv:1906.04032.
    """

    least_axes = 1

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        permute: bool = False,
        seed: int = 0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        channels, numbers = self.event_shape[-1], np.random.default_rng(seed)
        require((3, channels, channels))  # before there are arrays of this size
        start = _parts(self._start(channels, numbers, check_flag(permute, "permute")))
        self.lower = self._weight(start["lower"], "lower")
        self.upper = self._weight(start["upper"], "upper")
        self.log_scale = self._weight(start["log_scale"], "log_scale")
        self.sign = self._weight(start["sign"], "sign", trainable=False)
        self.permutation = self._weight(start["permutation"], "permutation", trainable=False)
        self.positions = math.prod(self.event_shape[:-1])
        self.below = np.tril(np.ones((channels, channels)), -1)  # the entries of L that are free

    def _start(self, channels, numbers, permute):
        if permute:
            cycle = numbers.permutation(channels)
            return np.eye(channels)[np.roll(cycle, 1)[np.argsort(cycle)]]
        q, r = np.linalg.qr(numbers.normal(size=(channels, channels)))
        return q * np.sign(np.diag(r))

    def _factors(self):
        below, above = (tf.constant(part, self.compute_dtype) for part in (self.below, self.below.T))
        unit = tf.constant(np.eye(self.event_shape[-1]), self.compute_dtype)
        log_scale = tf.convert_to_tensor(self.log_scale)
        diagonal = tf.convert_to_tensor(self.sign) * tf.exp(log_scale)
        return self.lower * below + unit, self.upper * above + unit * diagonal, unit, tf.reduce_sum(log_scale)

    def _encode(self, x, condition):
        lower, upper, _, log_volume = self._factors()
        weight = tf.matmul(self.permutation, tf.matmul(lower, upper))
        return self._apply(x, weight), constant_log_det(self.positions * log_volume, x)

    def _decode(self, z, condition):
        lower, upper, unit, log_volume = self._factors()
        # One inverse, multiplied, is folded to a constant on export; no runtime can convert a solve per batch.
        inverse_lower = tf.linalg.triangular_solve(lower, unit, lower=True)
        inverse_upper = tf.linalg.triangular_solve(upper, unit, lower=False)
        inverse = tf.matmul(tf.matmul(inverse_upper, inverse_lower), self.permutation, transpose_b=True)
        return self._apply(z, inverse), constant_log_det(-self.positions * log_volume, z)

    def _apply(self, x, matrix):
        channels = self.event_shape[-1]
        return tf.reshape(tf.matmul(tf.reshape(x, [-1, channels]), matrix), [-1, *self.event_shape])


class Whitening(InvertibleLinear):
    """An `InvertibleLinear` that starts as the identity; `adapt` whitens: z has unit covariance over the batch.

    Of all such maps it is the symmetric one (ZCA), so each z_i stays close to x_i. Correlations that networks would
    take thousands of steps to learn are gone before the first. Fewer than ten rows per channel are too few to estimate
    a covariance, and leave it as it is. Directions in which the batch is constant keep scale 1.

    Args:
      event_shape: (..., channels).

    Reference: Kessy, Lewin and Strimmer 2018, Optimal whitening and decorrelation, arXiv:1512.00809.
    """

    def __init__(self, event_shape: Sequence[int], *, dtype: str = "float32", name: str | None = None):
        super().__init__(event_shape, dtype=dtype, name=name)

    def _start(self, channels, numbers, permute):
        return np.eye(channels)

    def adapt(self, x: tf.Tensor, condition: tf.Tensor | None = None, context: Context | None = None) -> tf.Tensor:
        x = self._checked(x, self.event_shape, "x")
        channels = self.event_shape[-1]
        rows = np.asarray(x, np.float64).reshape(-1, channels)
        if len(rows) >= 10 * channels:
            variances, axes = np.linalg.eigh(np.cov(rows, rowvar=False).reshape(channels, channels))
            scales = np.maximum(variances, max(1e-6 * variances[-1], 1e-12)) ** -0.5
            scales[variances <= ROUNDING * variances[-1]] = 1.0  # constant here, which may vary elsewhere
            for name, value in _parts(axes * scales @ axes.T).items():
                getattr(self, name).assign(value)
        return self.encode(x)[0]


class Permutation(Bijector):
    """z_i = x_{order[i]} over the last axis.

    Args:
      event_shape: (..., channels).
      order: a permutation of 0 ... channels - 1.
    """

    least_axes = 1

    def __init__(
        self,
        event_shape: Sequence[int],
        order: Sequence[int] | np.ndarray,
        *,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        self.order = np.asarray(order)
        if sorted(self.order.tolist()) != list(range(self.event_shape[-1])):
            raise ValueError(
                f"`order` must be a permutation of 0 ... {self.event_shape[-1] - 1}, got {self.order.tolist()}."
            )
        self.inverse = np.argsort(self.order)

    def _encode(self, x, condition):
        return tf.gather(x, self.order, axis=-1), constant_log_det(0.0, x)

    def _decode(self, z, condition):
        return tf.gather(z, self.inverse, axis=-1), constant_log_det(0.0, z)


class Reverse(Permutation):
    """z is x with the last axis in reverse order."""

    def __init__(self, event_shape: Sequence[int], *, dtype: str = "float32", name: str | None = None):
        super().__init__(event_shape, np.arange(event_shape[-1])[::-1], dtype=dtype, name=name)


def _parts(matrix):
    """The weights of an `InvertibleLinear` with this matrix."""
    order, lower, upper = _lu(matrix)
    diagonal = np.diag(upper)
    return {
        "lower": np.tril(lower, -1),
        "upper": np.triu(upper, 1),
        "log_scale": np.log(np.abs(diagonal)),
        "sign": np.sign(diagonal),
        "permutation": np.eye(len(matrix))[order],
    }


def _lu(matrix):
    """(order, lower, upper) with eye[order] @ lower @ upper = matrix, by partial pivoting."""
    upper, lower, rows = matrix.copy(), np.eye(len(matrix)), np.arange(len(matrix))
    for column in range(len(matrix)):
        pivot = column + np.argmax(np.abs(upper[column:, column]))
        for array, width in ((upper, len(matrix)), (lower, column)):
            array[[column, pivot], :width] = array[[pivot, column], :width]
        rows[[column, pivot]] = rows[[pivot, column]]
        lower[column + 1 :, column] = upper[column + 1 :, column] / upper[column, column]
        upper[column + 1 :] -= np.outer(lower[column + 1 :, column], upper[column])
    return np.argsort(rows), lower, np.triu(upper)
