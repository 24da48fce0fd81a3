"""Normal base distributions: the standard one, and one with learned means and scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from flowzoo.bases.base import Base, normal_log_density
from flowzoo.core import random
from flowzoo.core.transform import sum_event

if TYPE_CHECKING:
    import tensorflow_probability as tfp


class StandardNormal(Base):
    """z ~ N(0, 1) in each entry; the temperature multiplies the standard deviation.

    Args:
      event_shape: shape of one z.
      dtype: float32 or float64.
    """

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return -0.5 * (sum_event(tf.square(z)) + math.prod(self.event_shape) * math.log(2.0 * math.pi))

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return self._scaled(temperature, random.normal(seeds, self.event_shape))

    def distribution(self, condition: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        from tensorflow_probability import distributions as tfd  # takes seconds

        zeros = tf.zeros(self.event_shape, self.compute_dtype)
        return tfd.Independent(tfd.Normal(zeros, tf.ones_like(zeros)), len(self.event_shape))


class DiagonalNormal(Base):
    """z ~ N(loc, exp(log_scale)^2) in each entry, both learned, starting as the standard normal.

    The temperature multiplies the standard deviation.

    Args:
      event_shape: shape of one z.
      dtype: float32 or float64.
    """

    def __init__(self, event_shape: Sequence[int], *, dtype: str = "float32", name: str | None = None):
        super().__init__(event_shape, dtype=dtype, name=name)
        self.loc = self.add_weight(shape=self.event_shape, initializer="zeros", name="loc")
        self.log_scale = self.add_weight(shape=self.event_shape, initializer="zeros", name="log_scale")

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return sum_event(normal_log_density(z, self.loc, self.log_scale))

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return self.loc + tf.exp(self.log_scale) * self._scaled(temperature, random.normal(seeds, self.event_shape))

    def distribution(self, condition: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        from tensorflow_probability import distributions as tfd  # takes seconds

        loc, log_scale = (tf.convert_to_tensor(weight) for weight in (self.loc, self.log_scale))
        return tfd.Independent(tfd.Normal(loc, tf.exp(log_scale)), len(self.event_shape))
