"""Learned rotations and reflections of the last axis, which preserve volume and lengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from flowzoo.core.checks import check_count
from flowzoo.core.limits import require
from flowzoo.core.transform import Bijector, constant_log_det


class Orthogonal(Bijector):
    """z = x Q over the last axis; subclasses give an orthogonal Q by `_matrix`. On images a 1x1 convolution."""

    least_axes = 1

    def _matrix(self):
        raise NotImplementedError(f"{type(self).__name__} must implement `_matrix`.")

    def _encode(self, x, condition):
        return self._apply(x, self._matrix()), constant_log_det(0.0, x)

    def _decode(self, z, condition):
        return self._apply(z, tf.transpose(self._matrix())), constant_log_det(0.0, z)

    def _apply(self, x, matrix):
        return tf.reshape(tf.matmul(tf.reshape(x, [-1, self.event_shape[-1]]), matrix), [-1, *self.event_shape])

    def _random_weight(self, shape, seed, name):
        require(shape)  # before there is an array of this size
        return self._weight(np.random.default_rng(seed).normal(size=shape), name)


class Householder(Orthogonal):
    """Q = H_1 ... H_n, where H = 1 - 2 v v' / |v|^2 reflects along v. Starts at random v.

    Args:
      event_shape: (..., channels).
      reflections: n; an even number gives a rotation, and `channels` of them reach every orthogonal matrix whose
        determinant is (-1)^n.
      seed: of the initial v.

    Reference: Tomczak & Welling 2016, Improving variational auto-encoders using Householder flow, arXiv:1611.09630.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        reflections: int = 2,
        *,
        seed: int = 0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        reflections = check_count(reflections, "reflections")
        self.vectors = self._random_weight((reflections, self.event_shape[-1]), seed, "vectors")

    def _matrix(self):
        matrix = tf.eye(self.event_shape[-1], dtype=self.compute_dtype)
        for v in tf.unstack(tf.convert_to_tensor(self.vectors)[:, :, None]):
            v = tf.math.divide_no_nan(v, tf.stop_gradient(tf.reduce_max(tf.abs(v))))  # no square over- or underflows
            scale = tf.math.divide_no_nan(tf.constant(2.0, v.dtype), tf.reduce_sum(tf.square(v)))
            matrix -= tf.matmul(tf.matmul(matrix, v), scale * v, transpose_b=True)
        return matrix


class CayleyOrthogonal(Orthogonal):
    """Q = (1 - A) (1 + A)^-1 with A = L - L', L strictly lower triangular: every rotation without eigenvalue -1.

    Starts at a random L.

    Args:
      event_shape: (..., channels).
      seed: of the initial L.

    Reference: Helfrich et al. 2018, Orthogonal recurrent networks with scaled Cayley transform, arXiv:1707.09520.
    """

    def __init__(self, event_shape: Sequence[int], *, seed: int = 0, dtype: str = "float32", name: str | None = None):
        super().__init__(event_shape, dtype=dtype, name=name)
        channels = self.event_shape[-1]
        self.lower = self._random_weight((channels, channels), seed, "lower")
        self.strict = np.tril(np.ones((channels, channels)), -1)

    def _matrix(self):
        lower = self.lower * tf.constant(self.strict, self.compute_dtype)
        unit = tf.eye(self.event_shape[-1], dtype=self.compute_dtype)
        rotation = 2.0 * tf.linalg.inv(unit + lower - tf.transpose(lower)) - unit  # the same, with less rounding
        # One step of Newton and Schulz: the transpose is the inverse to rounding however large A is
        return tf.matmul(rotation, 1.5 * unit - 0.5 * tf.matmul(rotation, rotation, transpose_a=True))
