"""The uniform distribution on the unit sphere, and the sphere's area."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.core import random
from flowzoo.core.checks import check_shape
from flowzoo.core.space import OFF_SPHERE


class UniformSphere(Base):
    """z uniform on the unit sphere in R^m, m >= 2: p(z) = 1 / area with respect to the sphere's surface.

    Off the sphere, where the norm of z differs from 1 by more than 1e-4, log p(z) is -inf. No point of the sphere is
    its centre, so there is nothing to scale about, and the temperature changes nothing.

    Args:
      event_shape: (m,).
      dtype: float32 or float64.

    Raises:
      ValueError: any other shape.
    """

    on_sphere = True

    def __init__(self, event_shape: Sequence[int], *, dtype: str = "float32", name: str | None = None):
        super().__init__(check_sphere(event_shape), dtype=dtype, name=name)

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        on = tf.abs(tf.norm(z, axis=1) - 1.0) <= OFF_SPHERE
        density = tf.constant(-log_area(self.event_shape[0]), self.compute_dtype)
        return tf.where(on, density, tf.constant(-math.inf, self.compute_dtype))

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return directions(seeds, self.event_shape[0], self.compute_dtype)


def directions(seeds: tf.Tensor, size: int, dtype: str) -> tf.Tensor:
    """Points uniform on the unit sphere in R^size: seeds (rows, 2) int32 -> (rows, size)."""
    numbers = tf.cast(random.normal(seeds, (size,)), dtype)  # none of which is 0
    return numbers / tf.norm(numbers, axis=1, keepdims=True)


def log_area(size: int) -> float:
    """The logarithm of the area of the unit sphere in R^size, which for size 1 consists of two points."""
    return math.log(2.0) + 0.5 * size * math.log(math.pi) - math.lgamma(0.5 * size)


def check_sphere(event_shape: Sequence[int]) -> tuple[int, ...]:
    """Returns the shape of a point of a sphere, (m,) with m >= 2, or raises."""
    shape = check_shape(event_shape, "event_shape")
    if len(shape) != 1 or shape[0] < 2:
        raise ValueError(f"`event_shape` must be (m,) with m >= 2 for points of a sphere, got {shape}.")
    return shape
