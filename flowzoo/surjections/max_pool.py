"""Max pooling: of each 2 x 2 block of an image only the largest value remains."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.core import random
from flowzoo.core.context import Context
from flowzoo.core.transform import sum_event
from flowzoo.surjections.surjection import InferenceSurjection


class MaxPool(InferenceSurjection):
    """z is the largest value of each 2 x 2 block and channel; where it was, and how far the others lie below, is drawn.

    Each of the four places is equally likely, and the three distances are half-normal, |N(0, s^2)|, with a learned s
    per channel.

    Args:
      event_shape: (height, width, channels), both sides even.

    Raises:
      ValueError: `event_shape` is of another form.

    Reference: Nielsen et al. 2020, SurVAE Flows, arXiv:2007.02731.
    """

    def __init__(self, event_shape: Sequence[int], *, dtype: str = "float32", name: str | None = None):
        if len(tuple(event_shape)) != 3 or event_shape[0] % 2 or event_shape[1] % 2:
            raise ValueError(
                f"`event_shape` must be (height, width, channels) with even sides, got {tuple(event_shape)}."
            )
        height, width, channels = event_shape
        super().__init__(event_shape, (height // 2, width // 2, channels), dtype=dtype, name=name)
        self.log_scale = self.add_weight(shape=(channels,), initializer="zeros", name="log_scale")

    def adapt(self, x: tf.Tensor, condition: tf.Tensor | None = None, context: Context | None = None) -> tf.Tensor:
        """Sets s to the root mean square of the distances in x."""
        blocks = self._blocks(self._checked(x, self.event_shape, "x"))
        z = tf.reduce_max(blocks, axis=3)
        squares = tf.reduce_sum(tf.square(z[:, :, :, None] - blocks), axis=3) / 3.0
        mean = tf.reduce_mean(squares, axis=[0, 1, 2])
        self.log_scale.assign(0.5 * tf.math.log(tf.where(mean > 0.0, mean, tf.ones_like(mean))))
        return z

    def _encode(self, x, condition, context):
        blocks = self._blocks(x)
        z = tf.reduce_max(blocks, axis=3)
        return z, self._log_probability(z[:, :, :, None] - blocks)

    def _decode(self, z, condition, context):
        height, width, channels = self.latent_shape
        place = tf.cast(4.0 * random.uniform(context.at(0).streams, self.latent_shape), tf.int32)
        normal = random.normal(context.at(1).streams, (height, width, 4, channels))
        below = tf.abs(tf.cast(normal, z.dtype)) * tf.exp(tf.convert_to_tensor(self.log_scale))
        below = tf.where(tf.range(4)[:, None] == place[:, :, :, None], tf.zeros_like(below), below)
        blocks = tf.reshape(z[:, :, :, None] - below, [-1, height, width, 4 * channels])
        return tf.nn.depth_to_space(blocks, 2), -self._log_probability(below)

    def _blocks(self, x):
        """(batch, height / 2, width / 2, 4, channels)."""
        height, width, channels = self.latent_shape
        return tf.reshape(tf.nn.space_to_depth(x, 2), [-1, height, width, 4, channels])

    def _log_probability(self, below):
        """log p(place, distances) of distances of which one in each block is 0."""
        log_scale = tf.convert_to_tensor(self.log_scale)
        one = -math.log(4.0) + 3.0 * (0.5 * math.log(2.0 / math.pi) - log_scale)
        squares = tf.reduce_sum(tf.square(below * tf.exp(-log_scale)), axis=3)
        return sum_event(one - 0.5 * squares)
