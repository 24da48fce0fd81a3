"""The angle between a draw from a von Mises-Fisher distribution and its mean direction.

Reference: Figurnov et al. 2018, Implicit reparameterization gradients, arXiv:1805.08498.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from flowzoo.core.roots import monotone_root

CELLS, NODES = 24, 6  # errors of the integrals are about 1e-12
BELOW, ABOVE = 9.0, 14.0  # the widths that the cells cover on either side of the mode; beyond lies less than 1e-9
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(NODES)
_POINTS, _WEIGHTS = 0.5 * (_POINTS + 1.0), 0.5 * _WEIGHTS


class PolarAngle:
    """t in [0, pi] of density proportional to f(t) = exp(k (cos(t) - 1)) sin(t)^(size - 2).

    Integrals are by Gauss and Legendre in cells around the mode. They are of the angle, since the density of its cosine
    is infinite at the ends for size 2, and has infinite derivatives there for even sizes. Gradients reach k.

    Args:
      concentration: k > 0, (rows,) float32 or float64.
      size: of the vectors, at least 2.
    """

    def __init__(self, concentration: tf.Tensor, size: int):
        self.concentration, self.size = concentration, size
        k, power = tf.stop_gradient(concentration), tf.constant(size - 2.0, concentration.dtype)
        root = power + tf.sqrt(tf.square(power) + 4.0 * tf.square(k))
        cosine = 2.0 * k / root
        mode = tf.atan2(tf.sqrt(2.0 * power / root), cosine)
        width = tf.math.rsqrt(k * cosine + 0.5 * root)  # of the normal density with the curvature of f at its mode
        self._low = tf.maximum(mode - BELOW * width, 0.0)
        self._cell = (tf.minimum(mode + ABOVE * width, math.pi) - self._low) / CELLS
        self._peak = self._log_density(mode, k)
        places = tf.constant(np.arange(CELLS)[:, None] + _POINTS, k.dtype)
        self._nodes = self._low[:, None, None] + self._cell[:, None, None] * places
        self._masses = self._integrals(self._nodes, self._cell[:, None])

    def log_integral(self) -> tf.Tensor:
        """The logarithm of the integral of f: (rows,)."""
        return self._peak + tf.math.log(tf.reduce_sum(self._masses, axis=1))

    def mean_cosine(self) -> tf.Tensor:
        """E[cos(t)]: (rows,), in (0, 1)."""
        cosines = self._integrals(self._nodes, self._cell[:, None], _cosine_minus_one(self._nodes))
        return 1.0 + tf.reduce_sum(cosines, axis=1) / tf.reduce_sum(self._masses, axis=1)

    def draw(self, uniform: tf.Tensor) -> tf.Tensor:
        """The t at which the distribution function is `uniform`, (rows,) in (0, 1): (rows,), with its derivative by k.

        The function is known at the edges of the cells, and a root is searched for within one.
        """
        edges = tf.cumsum(self._masses, axis=1)
        target = uniform * edges[:, -1]
        found = tf.reduce_sum(tf.cast(target[:, None] >= edges[:, :-1], tf.int32), axis=1)
        chosen = tf.one_hot(found, CELLS, dtype=edges.dtype)
        left = self._low + self._cell * tf.cast(found, edges.dtype)
        mass = tf.reduce_sum(chosen * self._masses, axis=1)
        scale = tf.stop_gradient(mass)

        def share(t, k):  # of the mass of the cell, up to a share t of its length
            length = self._cell * t
            below = self._integrals(left[:, None] + length[:, None] * tf.constant(_POINTS, t.dtype), length, k=k)
            return below / scale, self._cell * tf.exp(self._log_density(left + length, k) - self._peak) / scale

        before = tf.reduce_sum(chosen * edges, axis=1) - mass
        start, zeros = (target - before) / scale, tf.zeros_like(left)
        return left + self._cell * monotone_root(share, start, zeros, zeros + 1.0, [self.concentration], start=start)

    def _integrals(self, nodes, lengths, factors=1.0, k=None):
        """The integrals of f / f(mode), times factors, over intervals whose nodes are along the last axis."""
        k = self.concentration if k is None else k
        k = tf.reshape(k, [-1] + [1] * (nodes.shape.rank - 1))
        peak = tf.reshape(self._peak, tf.shape(k))
        heights = factors * tf.exp(self._log_density(nodes, k) - peak)
        return lengths * tf.reduce_sum(tf.constant(_WEIGHTS, nodes.dtype) * heights, axis=-1)

    def _log_density(self, t, k):
        found = k * _cosine_minus_one(t)
        if self.size == 2:
            return found
        cosine, sine = tf.cos(t), tf.sin(t)  # near pi / 2 the sine has lost what is raised to a large power
        middle = tf.square(cosine) < 0.5
        log_sine = tf.where(middle, 0.5 * tf.math.log1p(-tf.where(middle, tf.square(cosine), 0.0)), tf.math.log(sine))
        return found + (self.size - 2.0) * log_sine


def _cosine_minus_one(t):
    return -2.0 * tf.square(tf.sin(0.5 * t))  # all digits of which are right
