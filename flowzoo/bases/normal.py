"""The standard normal base distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from flowzoo import random
from flowzoo.transform import sum_event


class StandardNormal(keras.layers.Layer):
    """z ~ N(0, 1) in each entry; the temperature multiplies the standard deviation.

    Args:
      event_shape: shape of one z.
      dtype: float32 or float64.
    """

    def __init__(self, event_shape: Sequence[int], *, dtype: str = "float32", name: str | None = None):
        super().__init__(dtype=dtype, name=name)
        self.event_shape = tuple(event_shape)
        self.built = True

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """log p(z) in nats: (batch, *event_shape) -> (batch,)."""
        return -0.5 * sum_event(tf.square(z) + math.log(2.0 * math.pi))

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """One z per row: seeds (rows, 2) int32, temperature (rows,) -> (rows, *event_shape)."""
        temperature = tf.reshape(tf.cast(temperature, self.compute_dtype), [-1] + [1] * len(self.event_shape))
        return temperature * tf.cast(random.normal(seeds, self.event_shape), self.compute_dtype)
