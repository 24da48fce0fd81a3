"""Paths from one latent to another."""

from __future__ import annotations

import tensorflow as tf


def straight_line(z0: tf.Tensor, z1: tf.Tensor, share: float) -> tf.Tensor:
    """The point after a share of the way from z0 to z1: (batch, ...)."""
    return (1.0 - share) * z0 + share * z1


def great_circle(z0: tf.Tensor, z1: tf.Tensor, share: float) -> tf.Tensor:
    """The same on the unit sphere, along the shorter part of a great circle: (batch, size).

    Opposite points are joined by many; it is the one through the axis to which z0 is most nearly orthogonal.
    """
    axis = tf.one_hot(tf.argmin(tf.abs(z0), axis=1), z0.shape[1], dtype=z0.dtype)
    cosine = tf.reduce_sum(z0 * z1, axis=1, keepdims=True)
    across = z1 - cosine * z0
    sine = tf.norm(across, axis=1, keepdims=True)
    other = axis - tf.reduce_sum(z0 * axis, axis=1, keepdims=True) * z0
    across = tf.math.l2_normalize(tf.where(sine > 1e-6, across, other), axis=1)
    angle = share * tf.atan2(sine, cosine)
    return tf.math.l2_normalize(tf.cos(angle) * z0 + tf.sin(angle) * across, axis=1)
