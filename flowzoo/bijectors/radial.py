"""Radial maps: x moves towards a centre or away from it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from flowzoo.bijectors.parametric import Parametric, above_minus_one
from flowzoo.core.transform import sum_event

LEAST_ALPHA = 1e-3


class Radial(Parametric):
    """z = x + beta (x - centre) / (alpha + |x - centre|), with alpha > 0 and beta > -alpha.

    Both directions are closed forms: the distance before is the positive root of a quadratic. It starts as the identity
    (beta = 0), with a random centre.

    Args:
      event_shape: (features,).
      conditioner: Keras layer (nothing, condition) -> features + 2 numbers, added to the centre and to what
        alpha and beta / alpha are computed from; see `Parametric`.
      seed: seed of the initial weights.

    Reference: Rezende & Mohamed 2015, Variational inference with normalizing flows, arXiv:1505.05770.
    """

    @staticmethod
    def initial(features, numbers):
        alpha = np.log(np.expm1([features**0.5]))  # through softplus as far out as normal data lies
        return {"centre": numbers.normal(size=features), "alpha": alpha, "pull": np.zeros(1)}

    def _encode(self, x, condition):
        centre, alpha, pull = self._ready(x, condition)
        radius = _norm(x - centre)
        stretch, log_det = self._effect(radius, alpha, pull)
        return x + (x - centre) * stretch, log_det

    def _decode(self, z, condition):
        centre, alpha, pull = self._ready(z, condition)
        moved = _norm(z - centre)  # radius + alpha * pull * radius / (alpha + radius)
        half = 0.5 * (moved - alpha * (1.0 + pull))
        root = tf.sqrt(tf.square(half) + alpha * moved + tf.cast(moved == 0.0, moved.dtype))
        away = half > 0.0  # each branch where it loses no digits
        radius = tf.where(away, half + root, alpha * moved / (root + tf.abs(half)))
        stretch, log_det = self._effect(radius, alpha, pull)
        return centre + (z - centre) / (1.0 + stretch), -log_det

    def _ready(self, x, condition):
        centre, alpha, pull = self._parameters(x, condition)
        return centre, tf.nn.softplus(alpha) + LEAST_ALPHA, above_minus_one(pull)[0]

    def _effect(self, radius, alpha, pull):
        """beta / (alpha + radius) and log_det: one factor along the radius, the other across it."""
        near = alpha / (alpha + radius)
        log_det = tf.math.log1p(pull * tf.square(near)) + (self.event_shape[0] - 1) * tf.math.log1p(pull * near)
        return pull * near, sum_event(log_det)


def _norm(y):
    square = tf.reduce_sum(tf.square(y), axis=-1, keepdims=True)
    at_centre = tf.cast(square == 0.0, square.dtype)  # where the root has no gradient
    return tf.sqrt(square + at_centre) - at_centre
