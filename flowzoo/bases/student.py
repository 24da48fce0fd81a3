"""Student's t as base distribution, for data with heavy tails."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.core import random
from flowzoo.core.transform import sum_event

_SHIFT = 8  # beyond it the series below is accurate to 1e-11


class StudentT(Base):
    """z ~ t(freedom) in each entry, with location 0 and scale 1.

    The temperature multiplies z, and so the standard deviation where there is one (freedom > 2). Samples come from the
    polar method without rejection, sqrt(freedom (u^(-2 / freedom) - 1)) cos(2 pi v) with uniform u and v.

    Args:
      event_shape: shape of one z.
      freedom: degrees of freedom, or their initial value.
      learned: learn them, one number per entry.
      dtype: float32 or float64.

    References: Bailey 1994, Polar generation of random variates with the t-distribution; Jaini et al. 2020, Tails of
    Lipschitz triangular flows, arXiv:1907.04481.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        freedom: float = 5.0,
        *,
        learned: bool = False,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        if not 0.0 < freedom < math.inf:
            raise ValueError(f"`freedom` must be positive and finite, got {freedom}.")

        def start(shape, dtype):  # Keras' Constant goes through float32
            return tf.fill(shape, tf.constant(math.log(freedom), dtype))

        self.log_freedom = self.add_weight(self.event_shape, start, trainable=learned, name="log_freedom")

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        freedom = tf.exp(self.log_freedom)
        normalizer = _log_gamma_half_step(0.5 * freedom) - 0.5 * (self.log_freedom + math.log(math.pi))
        return sum_event(normalizer - 0.5 * (freedom + 1.0) * tf.math.log1p(tf.square(z) / freedom))

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        freedom = tf.exp(self.log_freedom)
        u, v = tf.unstack(tf.cast(random.uniform(seeds, (2, *self.event_shape)), self.compute_dtype), axis=1)
        power = -2.0 / freedom * tf.math.log1p(-tf.maximum(u, 2.0**-25))  # above 0, where sqrt has no slope
        radius = tf.sqrt(-freedom * tf.math.expm1(-power)) * tf.exp(0.5 * power)
        return self._scaled(temperature, radius * tf.cos(2.0 * math.pi * v))


def _log_gamma_half_step(x: tf.Tensor) -> tf.Tensor:
    """log Gamma(x + 1/2) - log Gamma(x) for x > 0, without the cancellation of two large numbers."""
    steps = sum(tf.math.log1p(0.5 / (x + k)) for k in range(_SHIFT))
    y = 1.0 / (x + _SHIFT)
    series = y * (-1 / 8 + y**2 * (1 / 192 + y**2 * (-1 / 640 + y**2 * (17 / 14336))))
    return series - 0.5 * tf.math.log(y) - steps
