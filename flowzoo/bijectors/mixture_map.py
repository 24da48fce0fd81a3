"""Mixtures of Gaussians as a scalar map: the CDF of the mixture, then the normal quantile function."""

from __future__ import annotations

import math

import tensorflow as tf

from flowzoo.bijectors.scalar import by_parameter
from flowzoo.core.roots import monotone_root

SPREAD = 1.0  # the first means lie evenly in [-SPREAD, SPREAD]; equal ones would stay equal
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class GaussianMixtureMap:
    """z = Phi^-1(F(x)), with F the CDF of a mixture of Gaussians; a `ScalarMap`.

    So z is standard normal where x follows the mixture. Decode finds the root of F(x) = Phi(z). Between components many
    standard deviations apart F is flat: there many x have the same z to the last digit, and decode gives one of them.

    Args:
      components: number of Gaussians, at least 1.
      bound: log standard deviations lie within (-bound, bound).

    Reference: Papamakarios et al. 2017, Masked autoregressive flow, arXiv:1705.07057 (MADE MoG).
    """

    samples_by_xla = False  # a search of roots takes seconds to compile

    def __init__(self, components: int = 8, bound: float = 4.0):
        if components < 1:
            raise ValueError(f"`components` must be at least 1, got {components}.")
        if not 0.0 < bound < math.inf:
            raise ValueError(f"`bound` must be finite and positive, got {bound}.")
        self.components, self.bound = int(components), float(bound)
        self.outputs_per_entry = 3 * self.components

    def encode(self, x: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _normal_scores(x, *self._parameters(raw))

    def decode(self, z: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        log_weight, mean, log_scale = self._parameters(raw)
        ends = mean + tf.exp(log_scale) * z[..., None, :]  # where each component alone would have its root

        def function(x, *parameters):
            value, log_slope = _normal_scores(x, *parameters)
            return value, tf.exp(log_slope)

        low, high = tf.reduce_min(ends, axis=-2), tf.reduce_max(ends, axis=-2)
        x = monotone_root(function, z, low, high, (log_weight, mean, log_scale))
        return x, -_normal_scores(x, log_weight, mean, log_scale)[1]

    def _parameters(self, raw):
        raw = by_parameter(raw, self.outputs_per_entry)
        logits, mean, log_scale = tf.split(raw, 3, axis=-2)
        log_weight = logits - tf.reduce_logsumexp(logits, axis=-2, keepdims=True)
        first = tf.linspace(tf.constant(-SPREAD, raw.dtype), SPREAD, self.components)[:, None]
        return log_weight, mean + first * (self.components > 1), self.bound * tf.tanh(log_scale / self.bound)


def _normal_scores(x, log_weight, mean, log_scale):
    """z and log dz/dx, from the smaller tail: dz/dx = (density / F) of the mixture over that of the normal at z."""
    u = (x[..., None, :] - mean) * tf.exp(-log_scale)
    furthest = 1e18 if x.dtype == tf.float32 else 1e150  # its square is still finite
    u = tf.clip_by_value(u, -furthest, furthest)
    tails = [normal_tail(side) for side in (u, -u)]
    log_parts = [log_weight + log_p for log_p, _ in tails]
    below, above = (tf.reduce_logsumexp(log_part, axis=-2) for log_part in log_parts)
    low = below < above
    log_part, log_hazard = (tf.where(low[..., None, :], *pair) for pair in (log_parts, [tail[1] for tail in tails]))
    log_tail = tf.where(low, below, above)
    z = ndtri_exp(log_tail)
    log_rate = tf.reduce_logsumexp(log_part - log_tail[..., None, :] + log_hazard - log_scale, axis=-2)
    return tf.where(low, z, -z), log_rate - normal_tail(z)[1]


def ndtri_exp(log_p: tf.Tensor) -> tf.Tensor:
    """Phi^-1(exp(log_p)) for log_p <= log(1/2) or so, by Newton's method on log Phi."""
    twice = tf.maximum(-2.0 * log_p - 2.0 * HALF_LOG_2PI, 0.5)
    z = tf.where(log_p < -5.0, -tf.sqrt(twice - tf.math.log(twice)), tf.math.ndtri(tf.exp(tf.maximum(log_p, -6.0))))
    for _ in range(3):
        z = tf.stop_gradient(z)
        found, log_hazard = map(tf.stop_gradient, normal_tail(z))
        z = z + (log_p - found) * tf.exp(-log_hazard)
    return z


def normal_tail(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """log Phi(x), also far out where Phi(x) underflows, and the log of its derivative, phi(x) / Phi(x)."""
    near, tail, log_ratio = _parts(x)
    far, log_near = x < near, tf.math.log(0.5 * tf.math.erfc(-math.sqrt(0.5) * near))
    return (
        tf.where(far, -0.5 * tail * tail - HALF_LOG_2PI - log_ratio, log_near),
        tf.where(far, log_ratio, -0.5 * near * near - HALF_LOG_2PI - log_near),
    )


def _parts(x):
    """x clipped where erfc underflows, x clipped to the range beyond, and there log(phi / Phi) by its series."""
    far = -10.0 if x.dtype == tf.float32 else -30.0
    near, tail = tf.maximum(x, far), tf.minimum(x, far)
    square = 1.0 / (tail * tail)
    series = 1.0 - square * (1.0 - 3.0 * square * (1.0 - 5.0 * square * (1.0 - 7.0 * square)))
    return near, tail, tf.math.log(-tail) - tf.math.log(series)
