"""The absolute value of a column: data that are alike on both sides of 0 need only one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core import random
from flowzoo.core.checks import check_count, check_number
from flowzoo.surjections.surjection import InferenceSurjection, check_network, vector


class AbsoluteValue(InferenceSurjection):
    """Folds the box [-bound, bound]^D in two along one column: z_k = 2 |x_k| - bound.

    z fills the same box, so that a density on it is one of x with nothing lost; with |x_k| as the latent, all that a
    flow puts below 0 would be. What follows must be a density on the box, such as `Uniform(shape, -bound, bound)`: no x
    has a z_k below -bound. The sign is drawn given z: log_det is log 2 + log p(sign | z).

    Args:
      event_shape: (features,).
      network: Keras layer (z, condition) -> (batch, 1), the logit of a positive sign.
      column: k.
      point: the fold mirrors all columns where x_k is negative, which is a reflection through the centre, not only
        column k.
      bound: half the side of the box; outside it z is too.

    Raises:
      ValueError: `column` is out of range, or the network is for another shape.

    Reference: Nielsen et al. 2020, SurVAE Flows, arXiv:2007.02731.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        network: keras.layers.Layer,
        column: int = 0,
        *,
        point: bool = False,
        bound: float = 1.0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        features = vector(event_shape, "AbsoluteValue")
        super().__init__(event_shape, dtype=dtype, name=name)
        check_network(self, network, 1)
        self.column = check_count(column, "column", 0, features - 1)
        self.network, self.bound = network, check_number(bound, "bound")
        self.folded = np.arange(features) == self.column
        self.mirrored = np.ones(features, bool) if point else self.folded

    def _encode(self, x, condition, context):
        sign = tf.cast(tf.where(x[:, self.column : self.column + 1] < 0.0, -1.0, 1.0), x.dtype)
        x = tf.where(self.mirrored, x * sign, x)
        z = tf.where(self.folded, 2.0 * x - self.bound, x)
        return z, self._log_det(sign, self._logit(z, condition))

    def _decode(self, z, condition, context):
        logit = self._logit(z, condition)
        positive = tf.cast(random.uniform(context.streams, (1,)), z.dtype) < tf.sigmoid(logit)
        sign = tf.cast(tf.where(positive, 1.0, -1.0), z.dtype)
        x = tf.where(self.folded, tf.maximum(0.5 * (z + self.bound), 0.0), z)
        return tf.where(self.mirrored, x * sign, x), -self._log_det(sign, logit)

    def _logit(self, z, condition):
        return tf.cast(self.network(z, condition), z.dtype)

    def _log_det(self, sign, logit):
        return tf.squeeze(math.log(2.0) + tf.math.log_sigmoid(sign * logit), axis=1)
