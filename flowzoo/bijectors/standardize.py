"""Shift and scale of each column, taken from data, so that a flow does not depend on the units of its data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from flowzoo.bijectors.constant import constant_columns
from flowzoo.core.context import Context
from flowzoo.core.transform import Bijector, constant_log_det

LEAST = 1e-300  # of scales: processors flush numbers below 2.2e-308 to 0, so this leaves the digits of float32
FAR = 1e30  # deviations; beyond, z would overflow float32, and its density, which is 0, would be NaN


class Standardize(Bijector):
    """z = (x - shift) / scale, both per column and not trained, starting as the identity.

    `adapt` sets them so that each column of z has mean 0 and variance 1 over the batch; a column that is constant
    there, or varies by rounding errors only, keeps scale 1. In float64, the default, a column of time stamps keeps its
    digits: a `Chain` accepts it in front of float32 transforms.

    Args:
      event_shape: (features,).
      dtype: of x, z and both weights.
    """

    least_axes = 1

    def __init__(self, event_shape: Sequence[int], *, dtype: str = "float64", name: str | None = None):
        super().__init__(event_shape, dtype=dtype, name=name)
        if len(self.event_shape) != 1:
            raise ValueError(f"`event_shape` must be (features,), got {self.event_shape}. Flatten x first.")
        self.shift = self._weight(np.zeros(self.event_shape), "shift", trainable=False)
        self.scale = self._weight(np.ones(self.event_shape), "scale", trainable=False)

    def _encode(self, x, condition):
        z = (x - self.shift) / self.scale
        z = tf.where(tf.abs(z) > FAR, tf.sign(z) * FAR, z)  # NaN stays NaN
        return z, constant_log_det(-tf.reduce_sum(tf.math.log(self.scale)), x)

    def _decode(self, z, condition):
        return z * self.scale + self.shift, constant_log_det(tf.reduce_sum(tf.math.log(self.scale)), z)

    def adapt(self, x: tf.Tensor, condition: tf.Tensor | None = None, context: Context | None = None) -> tf.Tensor:
        x = self._checked(x, self.event_shape, "x")
        rows = np.asarray(x, np.float64)
        centred = rows - rows[0]  # first, as the sum of many large numbers is rounded
        power = np.frexp(np.abs(centred).max(axis=0))[1]  # of 2, which is exact: the squares of 1e-200 would be 0
        scale = np.where(constant_columns(rows), 1.0, np.ldexp(np.ldexp(centred, -power).std(axis=0), power))
        tiny = np.flatnonzero(scale < LEAST).tolist()
        if tiny:
            raise ValueError(
                f"`x` must vary by at least {LEAST:g} in each column, got less in columns {tiny}, too close to the "
                "smallest number of float64 to keep its digits. Give them in another unit."
            )
        self.shift.assign(rows[0] + centred.mean(axis=0))
        self.scale.assign(scale)
        return self.encode(x)[0]
