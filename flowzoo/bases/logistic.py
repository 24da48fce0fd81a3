"""The logistic distribution as base, as in NICE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.core import random
from flowzoo.core.transform import sum_event

if TYPE_CHECKING:
    import tensorflow_probability as tfp


class Logistic(Base):
    """z ~ logistic(0, 1) in each entry: log p(z) = -|z| - 2 log(1 + exp(-|z|)); its tails are longer than a normal's.

    The temperature multiplies z, and so the standard deviation, which is pi / sqrt(3) at 1.

    Args:
      event_shape: shape of one z.
      dtype: float32 or float64.

    Reference: Dinh et al. 2015, NICE: non-linear independent components estimation, arXiv:1410.8516.
    """

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        size = tf.abs(z)
        return -sum_event(size + 2.0 * tf.math.log1p(tf.exp(-size)))

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        u = tf.maximum(tf.cast(random.uniform(seeds, self.event_shape), self.compute_dtype), 2.0**-25)
        return self._scaled(temperature, tf.math.log(u) - tf.math.log1p(-u))

    def distribution(self, condition: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        from tensorflow_probability import distributions as tfd  # takes seconds

        zeros = tf.zeros(self.event_shape, self.compute_dtype)
        return tfd.Independent(tfd.Logistic(zeros, tf.ones_like(zeros)), len(self.event_shape))
