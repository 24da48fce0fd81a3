"""Learned shift and scale: per entry, or per channel with an explicit data-dependent initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from flowzoo.bijectors.constant import constant_columns
from flowzoo.core.context import Context
from flowzoo.core.transform import Bijector, constant_log_det


class ElementwiseAffine(Bijector):
    """z = (x + shift) * exp(log_scale), both learned, starting as the identity.

    Args:
      event_shape: shape of one x.
      parameter_shape: trailing axes that have parameters of their own; all of `event_shape` if not given.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        parameter_shape: Sequence[int] | None = None,
        *,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        shape = self.event_shape if parameter_shape is None else tuple(parameter_shape)
        if shape != self.event_shape[len(self.event_shape) - len(shape) :]:
            raise ValueError(f"`parameter_shape` must be trailing axes of {self.event_shape}, got {shape}.")
        self.shift = self.add_weight(shape=shape, initializer="zeros", name="shift")
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")
        self.repeats = math.prod(self.event_shape) // math.prod(shape)

    def _encode(self, x, condition):
        log_scale = tf.convert_to_tensor(self.log_scale)
        log_det = constant_log_det(self.repeats * tf.reduce_sum(log_scale), x)
        return self._shifted(x) * tf.exp(log_scale), log_det

    def _decode(self, z, condition):
        log_scale = tf.convert_to_tensor(self.log_scale)
        log_det = constant_log_det(-self.repeats * tf.reduce_sum(log_scale), z)
        return z * tf.exp(-log_scale) - self.shift, log_det

    def _shifted(self, x):
        if len(self.shift.shape) == 1:
            return tf.nn.bias_add(x, self.shift)  # the same sum, with a tenth of the operations in its gradient
        return x + self.shift


class ActNorm(ElementwiseAffine):
    """One learned shift and scale per entry of the last axis.

    It starts as the identity; `adapt` sets it so that z has mean 0 and variance 1 per channel over the batch. A channel
    that is constant there, or varies by rounding errors only, keeps scale 1: it may vary elsewhere.

    Reference: Kingma & Dhariwal 2018, Glow, arXiv:1807.03039.
    """

    def __init__(self, event_shape: Sequence[int], *, dtype: str = "float32", name: str | None = None):
        super().__init__(event_shape, tuple(event_shape)[-1:], dtype=dtype, name=name)

    def adapt(self, x: tf.Tensor, condition: tf.Tensor | None = None, context: Context | None = None) -> tf.Tensor:
        x = self._checked(x, self.event_shape, "x")
        mean, variance = tf.nn.moments(x, axes=list(range(x.shape.rank - 1)))
        self.shift.assign(-mean)
        constant = constant_columns(np.asarray(x), least=1.0)  # x may carry rounding errors of larger numbers
        self.log_scale.assign(-0.5 * tf.math.log(tf.where(constant, tf.ones_like(variance), variance)))
        return self.encode(x)[0]
