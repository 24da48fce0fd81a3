"""Dequantization: integers become real numbers by noise within their bin."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from flowzoo import random
from flowzoo.transform import Transform, constant_log_det


class UniformDequantization(Transform):
    """z = (x + u) / 2^bits with u ~ U[0, 1), so log P(x) >= E[log p(z)] - D bits ln 2.

    Args:
      event_shape: shape of one x.
      bits: x holds integers 0 ... 2^bits - 1; 1 to 16.

    Reference: Theis et al. 2016, A note on the evaluation of generative models, arXiv:1511.01844.
    """

    kind = "lower_bound"
    stochastic = True

    def __init__(self, event_shape: Sequence[int], bits: int = 8, *, dtype: str = "float32", name: str | None = None):
        super().__init__(event_shape, dtype=dtype, name=name)
        if not 1 <= bits <= 16:
            raise ValueError(f"`bits` must be 1 to 16, got {bits}.")
        self.bits = int(bits)
        self.total_log_bins = math.prod(self.event_shape) * bits * math.log(2.0)

    @property
    def takes_integers(self) -> bool:
        return True

    def _encode(self, x, condition, seed):
        x = tf.cast(x, self.compute_dtype)
        x = tf.where((x >= 0.0) & (x < 2.0**self.bits), x, math.nan)  # no such integer: no log p(x)
        noisy = x + tf.cast(random.uniform(seed, self.event_shape), x.dtype)
        inside = tf.minimum(noisy, (x + 1.0) * (1.0 - 2.0**-23))  # x + u can round up to the next bin
        return inside * 2.0**-self.bits, constant_log_det(-self.total_log_bins, x)

    def _decode(self, z, condition, seed=None):
        x = tf.floor(tf.clip_by_value(z * 2.0**self.bits, 0.0, 2.0**self.bits - 1.0))
        return tf.cast(x, tf.uint8 if self.bits <= 8 else tf.int32), constant_log_det(self.total_log_bins, z)
