"""Activation normalisation with an explicit data-dependent initialisation."""

from __future__ import annotations

import math

import tensorflow as tf

from flowzoo.transform import Bijector, constant_log_det


class ActNorm(Bijector):
    """z = (x + shift) * exp(log_scale), one shift and scale per entry of the last axis.

    It starts as the identity; `adapt` sets it so that z has mean 0 and variance 1 per channel over the batch.

    Reference: Kingma & Dhariwal 2018, Glow, arXiv:1807.03039.
    """

    def __init__(self, event_shape, *, dtype="float32", name=None):
        super().__init__(event_shape, dtype=dtype, name=name)
        channels = self.event_shape[-1:]
        self.shift = self.add_weight(shape=channels, initializer="zeros", name="shift")
        self.log_scale = self.add_weight(shape=channels, initializer="zeros", name="log_scale")
        self.positions = math.prod(self.event_shape[:-1])

    def adapt(self, x, condition=None, seed=None):
        x = self._checked(x, self.event_shape, "x")
        mean, variance = tf.nn.moments(x, axes=list(range(x.shape.rank - 1)))
        self.shift.assign(-mean)
        self.log_scale.assign(-0.5 * tf.math.log(tf.maximum(variance, 1e-4)))  # a constant channel stays finite
        return self.encode(x)[0]

    def _encode(self, x, condition):
        log_det = constant_log_det(self.positions * tf.reduce_sum(self.log_scale), x)
        return (x + self.shift) * tf.exp(self.log_scale), log_det

    def _decode(self, z, condition):
        log_det = constant_log_det(-self.positions * tf.reduce_sum(self.log_scale), z)
        return z * tf.exp(-self.log_scale) - self.shift, log_det
