"""Argmax: categories are the largest of several numbers, which a flow then models."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.bases.base import normal_log_density
from flowzoo.core import random
from flowzoo.core.checks import check_count
from flowzoo.core.space import Space
from flowzoo.core.transform import sum_event
from flowzoo.surjections.surjection import GenerativeSurjection


class Argmax(GenerativeSurjection):
    """x = argmax z for categories 0 ... values - 1; encode draws z given x, by thresholding.

    u ~ N(m_x, s_x^2) for each of the `values` numbers, with learned m and s; then z_x = u_x, and every other number is
    pushed below it: z_k = z_x - softplus(z_x - u_k).

    Args:
      event_shape: shape of one x.
      values: number of categories, 2 to 256.

    Reference: Hoogeboom et al. 2021, Argmax flows and multinomial diffusion, arXiv:2102.05379.
    """

    def __init__(self, event_shape: Sequence[int], values: int, *, dtype: str = "float32", name: str | None = None):
        self.values = check_count(values, "values", 2, 256)
        super().__init__(event_shape, (*event_shape, self.values), dtype=dtype, name=name)
        shape = (self.values, self.values)
        self.loc = self.add_weight(shape=shape, initializer="zeros", name="loc")
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")

    @property
    def takes_integers(self) -> bool:
        return True

    @property
    def x_space(self) -> Space:
        """The categories."""
        return Space.integers(self.event_shape, self.values)

    def _encode(self, x, condition, context):
        chosen = tf.one_hot(tf.cast(x, tf.int32), self.values, on_value=True, off_value=False, dtype=tf.bool)
        rows = tf.cast(chosen, self.compute_dtype)
        loc, log_scale = (tf.tensordot(rows, tf.convert_to_tensor(table), 1) for table in (self.loc, self.log_scale))
        e = tf.cast(random.normal(context.streams, self.latent_shape), self.compute_dtype)
        u = loc + tf.exp(log_scale) * e
        # a category that does not exist has no place: its row gets no log p(x)
        known = tf.reduce_any(chosen, axis=-1, keepdims=True)
        top = tf.reduce_sum(tf.where(chosen, u, tf.zeros_like(u)), axis=-1, keepdims=True)
        top = tf.where(known, top, tf.constant(math.nan, u.dtype))
        z = tf.where(chosen, u, top - tf.math.softplus(top - u))
        log_q = normal_log_density(u, loc, log_scale)
        log_slope = tf.where(chosen, tf.zeros_like(u), tf.math.log_sigmoid(top - u))
        return z, sum_event(log_slope - log_q)

    def _decode(self, z, condition, context):
        x = tf.argmax(z, axis=-1, output_type=tf.int32)
        return tf.cast(x, self.x_space.dtype), tf.zeros_like(sum_event(z))
