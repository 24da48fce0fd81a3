"""Sorting: data whose columns may change places need only one of their orders."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core import random
from flowzoo.core.checks import check_number
from flowzoo.surjections.surjection import InferenceSurjection, check_network, vector

ROUNDED = 1.0 + 1e-5  # times the bound, what rounding may make of it


class Sort(InferenceSurjection):
    """Sorts the columns of x in [-bound, bound]^D, the smallest first, and spreads the result over that box.

    Where x is outside log_det is -inf. What follows must be a density on the box: `Uniform(shape, -bound, bound)`, say.

    With w = (sorted x + bound) / (2 bound), z is 2 bound v - bound with v_k = (w_k / w_{k+1})^k, where w_{D+1} is 1: if
    x is uniform, so is z (Renyi 1953). So a density on the box is one of x with nothing lost; of one on sorted x alone,
    all that a flow puts elsewhere would be. log_det is log D! + log p(order | z). The order is drawn given z, from a
    Plackett-Luce distribution: the place of the smallest by the softmax of the scores, then of the next among the
    places left.

    Args:
      event_shape: (features,).
      network: Keras layer (z, condition) -> (batch, features), the scores of the places; None if all orders are equally
        likely, as for sets.
      bound: half the side of the box.

    Raises:
      ValueError: the network is for another shape.

    References: Nielsen et al. 2020, SurVAE Flows, arXiv:2007.02731; Plackett 1975, The analysis of permutations; Renyi
    1953, On the theory of order statistics.
    """

    bounded = True

    def __init__(
        self,
        event_shape: Sequence[int],
        network: keras.layers.Layer | None = None,
        *,
        bound: float = 1.0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        features = vector(event_shape, "Sort")
        super().__init__(event_shape, dtype=dtype, name=name)
        if network is not None:
            check_network(self, network, features)
        self.network, self.bound = network, check_number(bound, "bound")
        self.powers = np.arange(1, features + 1, dtype=self.compute_dtype)

    def _encode(self, x, condition, context):
        outside = tf.reduce_any(tf.abs(x) > ROUNDED * self.bound, axis=1)
        places = tf.argsort(x, axis=1, stable=True)
        w = (tf.gather(x, places, batch_dims=1) + self.bound) / (2.0 * self.bound)
        later = tf.concat([w[:, 1:], tf.ones_like(w[:, :1])], axis=1)
        v = tf.maximum(w, 0.0) / tf.maximum(later, tf.constant(1e-30, w.dtype))  # both may be 0, at the corner
        z = self.bound * (2.0 * v**self.powers - 1.0)
        log_det = self._log_det(places, self._scores(z, condition))
        return z, tf.where(outside, tf.constant(-math.inf, x.dtype), log_det)

    def _decode(self, z, condition, context):
        scores = self._scores(z, condition)
        u = tf.cast(random.uniform(context.streams, self.event_shape), z.dtype)
        places = tf.argsort(scores - tf.math.log(-tf.math.log(tf.maximum(u, 1e-7))), axis=1, direction="DESCENDING")
        v = tf.maximum(0.5 * (z / self.bound + 1.0), 0.0) ** (1.0 / self.powers)
        w = tf.math.cumprod(v, axis=1, reverse=True)
        x = tf.gather(self.bound * (2.0 * w - 1.0), tf.argsort(places, axis=1), batch_dims=1)
        return x, -self._log_det(places, scores)

    def _scores(self, z, condition):
        return tf.zeros_like(z) if self.network is None else tf.cast(self.network(z, condition), z.dtype)

    def _log_det(self, places, scores):
        """log D! + log p(places), of the first given the scores of all, of the next given those of the others, ..."""
        scores = tf.gather(scores, places, batch_dims=1)
        left = [tf.reduce_logsumexp(scores[:, i:], axis=1) for i in range(self.event_shape[0])]
        return math.lgamma(self.event_shape[0] + 1.0) + tf.reduce_sum(scores, axis=1) - tf.add_n(left)
