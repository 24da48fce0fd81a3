"""Fixed maps of each entry, as used in preprocessing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.core.checks import check_number
from flowzoo.core.transform import Bijector, constant_log_det, sum_event


class Scale(Bijector):
    """z = (x + shift) * scale with fixed numbers, e.g. shift = -0.5 to centre data in [0, 1)."""

    def __init__(
        self,
        event_shape: Sequence[int],
        scale: float = 1.0,
        shift: float = 0.0,
        *,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        if not math.isfinite(scale) or scale == 0.0 or not math.isfinite(shift):
            raise ValueError(f"`scale` must be finite and not 0 and `shift` finite, got {scale} and {shift}.")
        self.scale, self.shift = float(scale), float(shift)
        self.total_log_scale = math.prod(self.event_shape) * math.log(abs(scale))

    def _encode(self, x, condition):
        return (x + self.shift) * self.scale, constant_log_det(self.total_log_scale, x)

    def _decode(self, z, condition):
        return z / self.scale - self.shift, constant_log_det(-self.total_log_scale, z)


class Logit(Bijector):
    """z = logit(alpha + (1 - 2 alpha) x) for x in [0, 1]; alpha > 0 keeps both ends far from infinity.

    x may exceed [0, 1] by alpha / (1 - 2 alpha), the range of decode; beyond that, and within 1e-7 of its ends, it
    is clipped.

    Reference: Dinh et al. 2017, Density estimation using Real NVP, arXiv:1605.08803.
    """

    reversible = False  # it clips, and the ends of the range lose digits

    def __init__(
        self, event_shape: Sequence[int], alpha: float = 0.05, *, dtype: str = "float32", name: str | None = None
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        self.alpha = check_number(alpha, "alpha", below=0.5, zero=True)

    def _encode(self, x, condition):
        inside = tf.clip_by_value(self.alpha + (1.0 - 2.0 * self.alpha) * x, 1e-7, 1.0 - 1e-7)
        z = tf.math.log(inside) - tf.math.log1p(-inside)
        return z, sum_event(self._log_slope(z))

    def _decode(self, z, condition):
        x = (tf.sigmoid(z) - self.alpha) / (1.0 - 2.0 * self.alpha)
        return x, -sum_event(self._log_slope(z))

    def _log_slope(self, z):
        # log dz/dx = log(1 - 2 alpha) - log sigmoid(z) - log sigmoid(-z), without cancellation at large |z|
        return math.log1p(-2.0 * self.alpha) + tf.math.softplus(z) + tf.math.softplus(-z)
