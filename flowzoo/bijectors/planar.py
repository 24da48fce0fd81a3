"""Planar maps: x is shifted along one direction by how far it lies along another."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from flowzoo.bijectors.parametric import Parametric, above_minus_one, tanh_slope
from flowzoo.core.roots import monotone_root

TINY = 1e-12  # training may shrink the w of an unneeded layer to 0; where w . w is smaller, w . u is far from -1


class Planar(Parametric):
    """z = x + v tanh(w . x + b), with v made from u such that w . v > -1.

    Encode is the closed form, so that densities of data are cheap; decode finds one root per row. The paper's map of
    latents, cheap to sample and to score its own samples, is `Invert(Planar(...))`. It starts as the identity
    (u = 0), with random w and b.

    Args:
      event_shape: (features,).
      conditioner: Keras layer (nothing, condition) -> 2 * features + 1 numbers, added to w, u, b; see `Parametric`.
      seed: seed of the initial weights.

    Reference: Rezende & Mohamed 2015, Variational inference with normalizing flows, arXiv:1505.05770.
    """

    @staticmethod
    def initial(features, numbers):
        w, b = numbers.normal(size=features) / features**0.5, numbers.normal(size=1)
        return {"w": w, "u": np.zeros(features), "b": b}

    def _encode(self, x, condition):
        w, v, b, along = self._ready(x, condition)
        t = _dot(w, x) + b
        return x + v * tf.tanh(t), tf.math.log1p(along * tanh_slope(t))[:, 0]

    def _decode(self, z, condition):
        w, v, b, along = self._ready(z, condition)
        # w . z + b = t + (w . v) tanh(t) for t = w . x + b, and |t| >= |tanh(t)| bounds t
        target = _dot(w, z) + b
        steepest = target / (1.0 + along)
        low = tf.maximum(tf.minimum(target, steepest), target - tf.abs(along))
        high = tf.minimum(tf.maximum(target, steepest), target + tf.abs(along))
        t = monotone_root(_shifted, target, low, high, [along], start=steepest)
        return z - v * tf.tanh(t), -tf.math.log1p(along * tanh_slope(t))[:, 0]

    def _ready(self, x, condition):
        w, u, b = self._parameters(x, condition)
        along, missing = above_minus_one(_dot(w, u))  # w . v, and how much larger it is than w . u
        square = _dot(w, w) + TINY
        return w, u + w * (missing / square), b, along - missing * (TINY / square)


def _shifted(t, along):
    return t + along * tf.tanh(t), 1.0 + along * tanh_slope(t)


def _dot(a, b):
    return tf.reduce_sum(a * b, axis=-1, keepdims=True)
