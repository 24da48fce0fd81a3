"""The uniform distribution on a box as base."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.core import random


class Uniform(Base):
    """z ~ U(low, high) in each entry; outside the box log p(z) is -inf.

    The temperature shrinks the box about its centre, and with it the standard deviation; above 1 it counts as 1, as
    samples must not leave the box.

    Args:
      event_shape: shape of one z.
      low, high: the box, numbers or arrays that broadcast to `event_shape`.
      dtype: float32 or float64.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        low: float | np.ndarray = 0.0,
        high: float | np.ndarray = 1.0,
        *,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        low, high = (np.broadcast_to(np.asarray(edge, self.compute_dtype), self.event_shape) for edge in (low, high))
        if not np.isfinite(low).all() or not np.isfinite(high).all() or not (low < high).all():
            raise ValueError(f"`low` must be below `high`, both finite, got {low} and {high}.")
        self.low, self.high = low, high

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        inside = tf.reduce_all((z >= self.low) & (z <= self.high), axis=list(range(1, z.shape.rank)))
        density = tf.constant(-np.log(self.high - self.low).sum(), self.compute_dtype)
        return tf.where(inside, density, tf.constant(-math.inf, self.compute_dtype))

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        centred = self._scaled(tf.minimum(temperature, 1.0), random.uniform(seeds, self.event_shape) - 0.5)
        return tf.clip_by_value(0.5 * (self.low + self.high) + (self.high - self.low) * centred, self.low, self.high)
