"""Columns that lie within bounds, mapped to all real numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from flowzoo.core.transform import Bijector, sum_event

MARGIN = 8.0  # decode stays this far, in log units, from the largest number

Bound = Sequence[float | None] | None  # of one column: [low, high], either of them None, or None for neither


class Bounds(Bijector):
    """Maps the inside of the bounds of each column to all real numbers.

        low < x < high:  z = log(x - low) - log(high - x), which is a logit
        low < x:         z = log(x - low)
        x < high:        z = -log(high - x)

    Logarithms, not maps like softplus, as a change of unit then only shifts z. The bounds themselves are outside: there
    z would be infinite. A row that is outside in any column has log_det -inf and a meaningless z; all gradients are
    finite. decode gives numbers strictly inside.

    Args:
      event_shape: (features,).
      bounds: one entry per feature: [low, high], [low, None], [None, high], or None.

    Raises:
      ValueError: the bounds are not of this form, or there are not as many as features.
    """

    least_axes = 1
    bounded = True
    reversible = False  # the ends of the range lose digits

    def __init__(
        self, event_shape: Sequence[int], bounds: Sequence[Bound], *, dtype: str = "float64", name: str | None = None
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        self.bounds = check_bounds(bounds, "bounds", self.event_shape)
        low, high = np.array([column or [None, None] for column in self.bounds], np.float64).T
        kind = np.dtype(self.compute_dtype).type
        self.low, self.high = (np.where(np.isnan(end), far, end) for end, far in ((low, -math.inf), (high, math.inf)))
        with np.errstate(over="ignore"):
            self.low, self.high = self.low.astype(kind), self.high.astype(kind)
        self.has_low, self.has_high = np.isfinite(self.low), np.isfinite(self.high)
        self.both = self.has_low & self.has_high
        self.start, self.end = np.where(self.has_low, self.low, kind(0)), np.where(self.has_high, self.high, kind(0))
        self.width = np.where(self.both, self.end - self.start, kind(1))
        self.tiny = np.finfo(kind).tiny  # below it, processors flush numbers to 0
        self.first = np.maximum(np.nextafter(self.low, kind(math.inf)), self.low + self.tiny)
        self.last = np.minimum(np.nextafter(self.high, kind(-math.inf)), self.high - self.tiny)
        _require_room(self.bounds, self.first, self.last)
        self.inside = np.where(self.both, self.start + self.width / 2, self.start + 1)
        self.inside = np.where(self.has_high & ~self.has_low, self.end - 1, self.inside).astype(kind)
        self.limit = kind(math.log(np.finfo(kind).max) - MARGIN)

    def outside(self, x: tf.Tensor) -> tf.Tensor:
        """Which numbers of x are not within their bounds: (batch, features) bool; NaN counts as inside."""
        return (x < self.first) | (x > self.last)

    def _encode(self, x, condition):
        outside = self.outside(x)
        x = tf.where(outside, self.inside, x)  # before it gets to the logarithms: their gradients must be finite
        above, below = self._log_distances(x)
        z = tf.where(self.has_low | self.has_high, above - below, x)
        log_det = sum_event(np.log(self.width) - above - below)
        return z, tf.where(tf.reduce_any(outside, axis=1), tf.constant(-math.inf, x.dtype), log_det)

    def _decode(self, z, condition):
        z = tf.where(self.has_low | self.has_high, tf.clip_by_value(z, -self.limit, self.limit), z)
        part = tf.where(self.both, z, 0.0)
        from_low = self.start + tf.where(self.both, self.width * tf.sigmoid(part), tf.exp(self._only(z, self.has_low)))
        from_high = self.end - tf.where(
            self.both, self.width * tf.sigmoid(-part), tf.exp(self._only(-z, self.has_high))
        )
        near_high = self.has_high & (~self.has_low | (z > 0.0))  # from the nearer end, which keeps more digits
        x = tf.where(near_high, from_high, tf.where(self.has_low, from_low, z))
        x = tf.where(self.has_low | self.has_high, tf.clip_by_value(x, self.first, self.last), x)
        log_slope = tf.where(
            self.both,
            np.log(self.width) - tf.math.softplus(part) - tf.math.softplus(-part),
            self._only(z, self.has_low) + self._only(-z, self.has_high),
        )
        return x, sum_event(log_slope)

    def _log_distances(self, x):
        """log of the distances from both ends, 0 where there is none."""
        above = tf.math.log(tf.where(self.has_low, x - self.start, 1.0))
        return above, tf.math.log(tf.where(self.has_high, self.end - x, 1.0))

    def _only(self, z, where):
        """z of the columns that have one bound, on this side; 0 elsewhere."""
        return tf.where(where & ~self.both, z, 0.0)


def _require_room(bounds, first, last):
    """Refuses bounds with no number between them, or beyond the range of the type: `first` to `last` are inside."""
    for index, column in enumerate(bounds):
        ends = (first[index], last[index])
        fits = [end is None or math.isfinite(limit) for end, limit in zip(column or [], ends, strict=False)]
        if not all(fits) or not ends[0] <= ends[1]:
            raise ValueError(
                f"`bounds` must have normal {first.dtype} numbers between them, got {column!r} for feature {index}. "
                "Give the data in another unit."
            )


def check_bounds(bounds, what: str, event_shape: Sequence[int]) -> list[list[float | None] | None]:
    """Returns bounds as JSON holds them, one entry per feature, or raises."""
    expected = f"`{what}` must be a list of [low, high], either of them None, or None, one for each of the "
    expected += f"{event_shape[-1]} features"
    bounds = bounds.tolist() if isinstance(bounds, np.ndarray) else bounds
    several = isinstance(bounds, Sequence) and not isinstance(bounds, str)
    if not several or len(bounds) != event_shape[-1]:
        got = f"{len(bounds)} entries" if several else repr(bounds)
        raise ValueError(f"{expected}, got {got}. Give None to a column without bounds.")
    checked = []
    for index, column in enumerate(bounds):
        ends = [None, None] if column is None else column
        if not isinstance(ends, Sequence) or len(ends) != 2 or not all(end is None or _finite(end) for end in ends):
            raise ValueError(f"{expected}, got {column!r} for feature {index}. Bounds are finite numbers or None.")
        low, high = (None if end is None else float(end) for end in ends)
        if low is not None and high is not None and not 0.0 < high - low < math.inf:
            raise ValueError(f"{expected}, got {column!r} for feature {index}. `low` must be below `high`.")
        checked.append(None if low is None and high is None else [low, high])
    return checked


def _finite(end):
    return isinstance(end, (int, float, np.integer, np.floating)) and not isinstance(end, bool) and math.isfinite(end)
