"""Dequantization: integers become real numbers by adding noise within their bins."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.bijectors.chain import require_exact
from flowzoo.core import random
from flowzoo.core.checks import check_count
from flowzoo.core.space import Space
from flowzoo.core.transform import Bijector, constant_log_det, sum_event
from flowzoo.surjections.surjection import GenerativeSurjection


class UniformDequantization(GenerativeSurjection):
    """z = (x + u) / 2^bits with u ~ U[0, 1), so log P(x) >= E[log p(z)] - D bits ln 2.

    Args:
      event_shape: shape of one x.
      bits: x holds integers 0 ... 2^bits - 1; 1 to 16.

    Reference: Theis et al. 2016, A note on the evaluation of generative models, arXiv:1511.01844.
    """

    def __init__(self, event_shape: Sequence[int], bits: int = 8, *, dtype: str = "float32", name: str | None = None):
        super().__init__(event_shape, dtype=dtype, name=name)
        self.bits = check_count(bits, "bits", 1, 16)
        self.total_log_bins = math.prod(self.event_shape) * self.bits * math.log(2.0)

    @property
    def takes_integers(self) -> bool:
        return True

    @property
    def x_space(self) -> Space:
        """The integers."""
        return Space.integers(self.event_shape, 2**self.bits)

    def _encode(self, x, condition, context):
        x = self._whole(x)
        return self._noisy(x, random.uniform(context.streams, self.event_shape)), constant_log_det(
            -self.total_log_bins, x
        )

    def _decode(self, z, condition, context):
        x = tf.floor(tf.clip_by_value(z * 2.0**self.bits, 0.0, 2.0**self.bits - 1.0))
        return tf.cast(x, tf.uint8 if self.bits <= 8 else tf.int32), constant_log_det(self.total_log_bins, z)

    def _whole(self, x):
        x = tf.cast(x, self.compute_dtype)
        return tf.where((x >= 0.0) & (x < 2.0**self.bits), x, math.nan)  # no such integer: no log p(x)

    def _noisy(self, x, u):
        inside = tf.minimum(x + tf.cast(u, x.dtype), (x + 1.0) * (1.0 - 2.0**-23))  # x + u can round up to the next bin
        return inside * 2.0**-self.bits


class AudioDequantization(GenerativeSurjection):
    """z = (x + u) / 2^(bits - 1) with u ~ U[0, 1): the signed integers of a waveform fill [-1, 1).

    Args:
      event_shape: (samples,).
      rate: samples per second; it only says what the data are.
      bits: x holds integers -2^(bits - 1) ... 2^(bits - 1) - 1; 1 to 16.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        rate: int,
        bits: int = 16,
        *,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        self.bits, self.rate = check_count(bits, "bits", 1, 16), check_count(rate, "rate")
        self.total_log_bins = math.prod(self.event_shape) * (self.bits - 1) * math.log(2.0)

    @property
    def takes_integers(self) -> bool:
        return True

    @property
    def x_space(self) -> Space:
        """The integers."""
        return Space.audio(*self.event_shape, self.rate, self.bits)

    def _encode(self, x, condition, context):
        x, half = tf.cast(x, self.compute_dtype), 2.0 ** (self.bits - 1)
        x = tf.where((x >= -half) & (x < half), x, math.nan)  # no such integer: no log p(x)
        u = tf.cast(random.uniform(context.streams, self.event_shape), x.dtype)
        last = x + 1.0 - tf.abs(x + 1.0) * 2.0**-23  # x + u can round up to the next bin
        return tf.minimum(x + u, last) / half, constant_log_det(-self.total_log_bins, x)

    def _decode(self, z, condition, context):
        half = 2.0 ** (self.bits - 1)
        x = tf.floor(tf.clip_by_value(z * half, -half, half - 1.0))
        return tf.cast(x, tf.int16), constant_log_det(self.total_log_bins, z)


class VariationalDequantization(UniformDequantization):
    """z = (x + u) / 2^bits, u = Phi(y), where y is drawn from a flow given x: noise that fits each example.

    log P(x) >= E[log p(z) - log q(u | x)] - D bits ln 2. With Phi the standard normal CDF and `noise` the
    identity, as at the start, u is uniform.

    The flow's own condition does not reach the noise: q(u | x) may be any density, so the bound holds all the same.

    Args:
      event_shape: (height, width, channels), both sides even.
      noise: bijector on (height / 2, width / 2, 4 * channels), the squeezed y; its condition is the squeezed image in
        [-0.5, 0.5), of that same shape.
      bits: x holds integers 0 ... 2^bits - 1; 1 to 16.

    Raises:
      TypeError: `noise` is not an exact bijection, or of another dtype.
      ValueError: `noise` is for another shape.

    Reference: Ho et al. 2019, Flow++, arXiv:1902.00275.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        noise: Bijector,
        bits: int = 8,
        *,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, bits, dtype=dtype, name=name)
        require_exact(noise, "VariationalDequantization")
        if noise.compute_dtype != self.compute_dtype:
            raise TypeError(
                f"`noise` must be of dtype {self.compute_dtype}, got {noise.compute_dtype}. Build it with the same "
                "`dtype`."
            )
        if len(self.event_shape) != 3:
            raise ValueError(f"`event_shape` must be (height, width, channels), got {self.event_shape}.")
        height, width, channels = self.event_shape
        squeezed = (height // 2, width // 2, 4 * channels)
        if height % 2 or width % 2 or not noise.event_shape == noise.latent_shape == squeezed:
            raise ValueError(
                f"`noise` must map {squeezed} to itself for images of shape {self.event_shape} with even sides, got "
                f"{noise.event_shape} to {noise.latent_shape}."
            )
        self.noise = noise

    def _encode(self, x, condition, context):
        x = self._whole(x)
        image = tf.nn.space_to_depth(x * 2.0**-self.bits - 0.5, 2)
        e = tf.cast(random.normal(context.streams, self.noise.latent_shape), self.compute_dtype)
        y, log_det = self.noise.decode(e, image, context)
        u = 0.5 * tf.math.erfc(-math.sqrt(0.5) * tf.nn.depth_to_space(y, 2))
        entropy = log_det + 0.5 * sum_event(tf.square(e) - tf.square(y))  # -log q(u | x)
        return self._noisy(x, u), entropy - self.total_log_bins
