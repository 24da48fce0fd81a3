"""A learned mixture of diagonal Gaussians as base distribution."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from flowzoo.bases.base import Base, normal_log_density
from flowzoo.core import random


class GaussianMixture(Base):
    """z ~ sum_k softmax(logits)_k N(loc_k, exp(log_scale_k)^2), everything learned.

    It starts with equal shares, unit scales and standard normal means. The temperature multiplies the standard
    deviations of the components and leaves their means and shares as they are.

    Args:
      event_shape: shape of one z.
      components: how many Gaussians; time and memory of `log_prob` grow with it.
      seed: of the initial means.
      dtype: float32 or float64.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        components: int = 8,
        *,
        seed: int = 0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        if components < 1:
            raise ValueError(f"`components` must be at least 1, got {components}.")
        self.components = int(components)
        shape = (self.components, *self.event_shape)
        apart = keras.initializers.RandomNormal(stddev=1.0, seed=seed)
        self.logits = self.add_weight(shape=shape[:1], initializer="zeros", name="logits")
        self.loc = self.add_weight(shape=shape, initializer=apart, name="loc")
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        each = normal_log_density(z[:, None], self.loc, self.log_scale)
        each = tf.reduce_sum(each, axis=list(range(2, each.shape.rank)))
        return tf.reduce_logsumexp(each + tf.nn.log_softmax(self.logits), axis=1)

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        u = tf.cast(random.uniform(random.fold_in(seeds, 1), (1,)), self.compute_dtype)
        edges = tf.cumsum(tf.nn.softmax(self.logits))[:-1]
        chosen = tf.reduce_sum(tf.cast(u >= edges, tf.int32), axis=1)
        noise = self._scaled(temperature, random.normal(seeds, self.event_shape))
        return tf.gather(self.loc, chosen) + tf.exp(tf.gather(self.log_scale, chosen)) * noise
