"""Monotonic rational-quadratic splines (Durkan et al. 2019, Neural spline flows, arXiv:1906.04032)."""

from __future__ import annotations

import math

import tensorflow as tf

from flowzoo.bijectors.scalar import by_parameter

LEAST = 0.0375  # the least width and height of a bin, as a share of the interval
STEEPER = math.log(4.0)  # the most by which a knot's log slope differs from that of the bins beside it


class RationalQuadratic:
    """An increasing spline on [-bound, bound] with the identity outside; a `ScalarMap`.

    The slope at an inner knot is the harmonic mean of the slopes of the bins beside it, times a factor of 1/4 to 4. So
    no parameters, however large, make the spline so flat or so steep that float32 could not invert it.

    Args:
      bins: number of bins, 2 to 20.
      bound: half the length of the interval; data should lie within it, as after an ActNorm.
      circular: x is an angle in [-bound, bound), whose ends are one point: its slope there is learned too.
      box: x is never outside the interval, so the slopes at its ends are learned too, instead of 1.

    References: Durkan et al. 2019, Neural spline flows, arXiv:1906.04032; for angles Rezende et al. 2020, Normalizing
    flows on tori and spheres, arXiv:2002.02428.
    """

    samples_by_xla = True

    def __init__(self, bins: int = 8, bound: float = 3.0, circular: bool = False, box: bool = False):
        if not 2 <= bins <= 20:
            raise ValueError(f"`bins` must be 2 to 20, got {bins}.")
        if not 0.0 < bound < math.inf:
            raise ValueError(f"`bound` must be finite and positive, got {bound}.")
        if circular and box:
            raise ValueError("`circular` and `box` exclude each other: the ends of a box are two points, got both.")
        self.bins, self.bound, self.circular, self.box = int(bins), float(bound), bool(circular), bool(box)
        self.outputs_per_entry = 3 * self.bins + (0 if circular else 1 if box else -1)

    def encode(self, x: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return rational_quadratic(x, *self._knots(raw), self.bound)

    def decode(self, z: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return inverse_rational_quadratic(z, *self._knots(raw), self.bound)

    def _knots(self, raw):
        raw = by_parameter(raw, self.outputs_per_entry)
        widths, heights, bend = tf.split(raw, [self.bins, self.bins, self.outputs_per_entry - 2 * self.bins], axis=-2)
        widths, heights = self._sizes(widths), self._sizes(heights)
        flatness = widths / heights
        before = tf.concat([flatness[..., -1:, :], flatness[..., :-1, :]], axis=-2)
        both = before + flatness if self.circular else (before + flatness)[..., 1:, :]
        if self.box:
            both = tf.concat([2.0 * flatness[..., :1, :], both, 2.0 * flatness[..., -1:, :]], axis=-2)
        slopes = 2.0 * tf.exp(STEEPER * tf.tanh(bend / STEEPER)) / both
        if self.box:
            return widths, heights, slopes
        if self.circular:
            return widths, heights, tf.concat([slopes, slopes[..., :1, :]], axis=-2)
        ends = tf.ones_like(slopes[..., :1, :])
        return widths, heights, tf.concat([ends, slopes, ends], axis=-2)

    def _sizes(self, raw):
        weights = tf.exp(raw - tf.reduce_max(raw, axis=-2, keepdims=True))
        shares = weights / tf.reduce_sum(weights, axis=-2, keepdims=True)
        return 2.0 * self.bound * (LEAST + (1.0 - LEAST * self.bins) * shares)


def rational_quadratic(
    x: tf.Tensor, widths: tf.Tensor, heights: tf.Tensor, slopes: tf.Tensor, bound: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """The spline through the knots, the identity outside [-bound, bound].

    Args:
      x: (..., channels).
      widths, heights: (..., bins, channels), positive, each summing to 2 * bound.
      slopes: (..., bins + 1, channels), positive, at the knots.
      bound: half the length of the interval.

    Returns:
      y and log dy/dx, like x.
    """
    inside = tf.abs(x) <= bound
    chosen = _Bin(tf.where(inside, x, 0.0), widths, heights, slopes, bound, by_height=False)
    theta = tf.clip_by_value((chosen.value - chosen.left) / chosen.width, 0.0, 1.0)
    y, log_slope = chosen.rise(theta)
    return tf.where(inside, y, x), tf.where(inside, log_slope, 0.0)


def inverse_rational_quadratic(
    y: tf.Tensor, widths: tf.Tensor, heights: tf.Tensor, slopes: tf.Tensor, bound: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """The inverse of `rational_quadratic`, with the same arguments: x and log dx/dy."""
    inside = tf.abs(y) <= bound
    chosen = _Bin(tf.where(inside, y, 0.0), widths, heights, slopes, bound, by_height=True)
    height = tf.clip_by_value((chosen.value - chosen.bottom) / chosen.height, 0.0, 1.0)
    bend = chosen.bend * height
    a, b, c = chosen.slope - chosen.first + bend, chosen.first - bend, -chosen.slope * height
    root = tf.sqrt(tf.maximum(b * b - 4.0 * a * c, 1e-12))
    theta = tf.clip_by_value(-2.0 * c / (b + root), 0.0, 1.0)
    _, log_slope = chosen.rise(theta)
    x = chosen.left + theta * chosen.width
    return tf.where(inside, x, y), tf.where(inside, -log_slope, 0.0)


class _Bin:
    """The bin of each value: its lower left corner, its size, and the slopes at its ends.

    Chosen by sums over one-hot rows, which XLA fuses and every converter knows; there is no gather.
    """

    def __init__(self, value, widths, heights, slopes, bound, by_height):
        self.value = value
        lefts, bottoms = _starts(widths, bound), _starts(heights, bound)
        passed = tf.cast(value[..., None, :] >= (bottoms if by_height else lefts)[..., 1:, :], value.dtype)
        one = tf.ones_like(value)[..., None, :]
        hot = tf.concat([one, passed], axis=-2) - tf.concat([passed, tf.zeros_like(one)], axis=-2)
        parts = (lefts, bottoms, widths, heights, slopes[..., :-1, :], slopes[..., 1:, :])
        self.left, self.bottom, self.width, self.height, self.first, self.last = (
            tf.reduce_sum(hot * part, axis=-2) for part in parts
        )
        self.slope = self.height / self.width
        self.bend = self.first + self.last - 2.0 * self.slope

    def rise(self, theta):
        """The height above -bound and the log slope at the share `theta` of the bin's width."""
        rest = 1.0 - theta
        both = theta * rest
        denominator = self.slope + self.bend * both
        y = self.bottom + self.height * theta * (self.slope * theta + self.first * rest) / denominator
        slope = self.last * theta * theta + 2.0 * self.slope * both + self.first * rest * rest
        return y, 2.0 * tf.math.log(self.slope / denominator) + tf.math.log(slope)


def _starts(sizes, bound):
    """Where each bin begins: the sum of the sizes before it."""
    starts = [tf.fill(tf.shape(sizes[..., 0, :]), tf.constant(-bound, sizes.dtype))]
    for size in tf.unstack(sizes, axis=-2)[:-1]:
        starts.append(starts[-1] + size)
    return tf.stack(starts, axis=-2)
