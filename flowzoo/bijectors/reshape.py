"""Transforms that only move entries."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.core.transform import Bijector, constant_log_det


class Squeeze(Bijector):
    """Moves each block of factor x factor pixels into channels: (H, W, C) -> (H / f, W / f, f * f * C).

    Args:
      event_shape: (height, width, channels), both sides divisible by `factor`.
      factor: side of a block, at least 2.

    Reference: Dinh et al. 2017, Density estimation using Real NVP, arXiv:1605.08803.
    """

    def __init__(self, event_shape: Sequence[int], factor: int = 2, *, dtype: str = "float32", name: str | None = None):
        height, width, channels = event_shape
        if factor < 2:
            raise ValueError(f"`factor` must be at least 2, got {factor}. Leave the Squeeze out to keep the shape.")
        if height % factor or width % factor:
            raise ValueError(f"Squeeze by {factor} needs sides divisible by it, got event_shape {tuple(event_shape)}.")
        latent_shape = (height // factor, width // factor, factor * factor * channels)
        super().__init__(event_shape, latent_shape, dtype=dtype, name=name)
        self.factor = factor

    def _encode(self, x, condition):
        return tf.nn.space_to_depth(x, self.factor), constant_log_det(0.0, x)

    def _decode(self, z, condition):
        return tf.nn.depth_to_space(z, self.factor), constant_log_det(0.0, z)


class Flatten(Bijector):
    """(..., ) -> (D,)."""

    def __init__(self, event_shape: Sequence[int], *, dtype: str = "float32", name: str | None = None):
        super().__init__(event_shape, (math.prod(event_shape),), dtype=dtype, name=name)

    def _encode(self, x, condition):
        return tf.reshape(x, [-1, *self.latent_shape]), constant_log_det(0.0, x)

    def _decode(self, z, condition):
        return tf.reshape(z, [-1, *self.event_shape]), constant_log_det(0.0, z)
