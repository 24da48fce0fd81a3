"""Invertible linear maps of the last axis: a dense matrix, and fixed permutations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from flowzoo.transform import Bijector, constant_log_det


class InvertibleLinear(Bijector):
    """z = x W over the last axis, W = P L (U + diag(sign * exp(log_scale))); on images the 1x1 convolution of Glow.

    L is unit lower triangular, U strictly upper triangular, P a fixed permutation, so the log-determinant is a sum.
    Starts at a random rotation.

    Args:
      event_shape: (..., channels).
      seed: of the initial rotation.

    Reference: Kingma & Dhariwal 2018, Glow, arXiv:1807.03039.
    """

    least_axes = 1

    def __init__(self, event_shape: Sequence[int], *, seed: int = 0, dtype: str = "float32", name: str | None = None):
        super().__init__(event_shape, dtype=dtype, name=name)
        channels = self.event_shape[-1]
        order, lower, upper = _lu(_rotation(channels, seed))
        diagonal = np.diag(upper)
        self.lower = self._weight(np.tril(lower, -1), "lower")
        self.upper = self._weight(np.triu(upper, 1), "upper")
        self.log_scale = self._weight(np.log(np.abs(diagonal)), "log_scale")
        self.sign = self._weight(np.sign(diagonal), "sign", trainable=False)
        self.permutation = self._weight(np.eye(channels)[order], "permutation", trainable=False)
        self.positions = math.prod(self.event_shape[:-1])
        self.strict = np.tril(np.ones((channels, channels)), -1)

    def _factors(self):
        below = tf.constant(self.strict, self.compute_dtype)
        unit = tf.eye(self.event_shape[-1], dtype=self.compute_dtype)
        diagonal = tf.convert_to_tensor(self.sign) * tf.exp(tf.convert_to_tensor(self.log_scale))
        return self.lower * below + unit, self.upper * tf.transpose(below) + tf.linalg.diag(diagonal), unit

    def _encode(self, x, condition):
        lower, upper, _ = self._factors()
        weight = tf.matmul(self.permutation, tf.matmul(lower, upper))
        return self._apply(x, weight), constant_log_det(self.positions * tf.reduce_sum(self.log_scale), x)

    def _decode(self, z, condition):
        lower, upper, unit = self._factors()
        # Inverting once and multiplying is folded to a constant on export; a solve per batch converts to no runtime.
        inverse_lower = tf.linalg.triangular_solve(lower, unit, lower=True)
        inverse_upper = tf.linalg.triangular_solve(upper, unit, lower=False)
        inverse = tf.matmul(tf.matmul(inverse_upper, inverse_lower), self.permutation, transpose_b=True)
        return self._apply(z, inverse), constant_log_det(-self.positions * tf.reduce_sum(self.log_scale), z)

    def _apply(self, x, matrix):
        channels = self.event_shape[-1]
        return tf.reshape(tf.matmul(tf.reshape(x, [-1, channels]), matrix), [-1, *self.event_shape])


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


def _rotation(size, seed):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return q * np.sign(np.diag(r))


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
