"""The von Mises-Fisher distribution on the unit sphere, whose parameters come from the condition.

Reference: Davidson et al. 2018, Hyperspherical variational auto-encoders, arXiv:1804.00891.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from flowzoo.bases.conditional import GivenNetwork
from flowzoo.bases.polar_angle import PolarAngle
from flowzoo.bases.sphere import check_sphere, directions, log_area
from flowzoo.core import random

if TYPE_CHECKING:
    import tensorflow_probability as tfp

TINY = 1e-12  # a shorter vector has no direction


class ConditionalVonMisesFisher(GivenNetwork):
    """z on the unit sphere in R^m with p(z) proportional to exp(k z . mu), (mu, k) given by network(condition).

    log p(z) is with respect to the sphere's surface. The network gives m numbers v and a number r: the mean direction
    mu is that of v + (1, 0, ..., 0), and log k goes from log `least` to log `most` as r does from -inf to inf. The mean
    of z, which `mean` gives, is shorter than mu.

    A draw has the cosine w of its angle to mu by the inverse of its distribution function, of one uniform number, and a
    tangent uniform on the sphere in R^(m - 1); a reflection takes both to mu. Gradients of draws reach mu and k. The
    temperature multiplies the angle, so that 0 gives mu.

    `distribution` is for densities and means: in more than three dimensions the gradients of TFP's samples are biased.

    Args:
      event_shape: (m,), m >= 2.
      condition_features: size of the condition.
      network: a built Keras layer, (rows, condition_features) -> (rows, m + 1), such as
        `MLP(condition_features, m + 1, [64])`.
      least, most: bounds of the concentration k.
      dtype: float32 or float64.

    Raises:
      ValueError: another shape, or bounds that are not 0 < least < most.
    """

    on_sphere = True

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_features: int,
        network: keras.layers.Layer,
        *,
        least: float = 0.1,
        most: float = 3000.0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(check_sphere(event_shape), condition_features, network, dtype=dtype, name=name)
        if not 0.0 < least < most < math.inf:
            raise ValueError(f"`least` must be positive and below `most`, both finite, got {least} and {most}.")
        self.least, self.most = float(least), float(most)

    @classmethod
    def outputs(cls, event_shape: Sequence[int]) -> int:
        return math.prod(event_shape) + 1

    def mean(self, condition: tf.Tensor | None = None) -> tf.Tensor:
        mean, concentration = self._parameters(condition)
        return PolarAngle(concentration, self.event_shape[0]).mean_cosine()[:, None] * mean

    def distribution(self, condition: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        from tensorflow_probability import distributions as tfd  # takes seconds

        return tfd.VonMisesFisher(*self._parameters(condition))

    def _parameters(self, condition):
        """The mean direction (rows, m) and the concentration (rows,)."""
        found = self._outputs(condition)
        pole = tf.constant([1.0] + [0.0] * (self.event_shape[0] - 1), found.dtype)
        vectors, raw = found[:, :-1] + pole, found[:, -1]
        squares = tf.reduce_sum(tf.square(vectors), axis=1, keepdims=True)
        short = squares < TINY
        mean = tf.where(short, pole, vectors * tf.math.rsqrt(tf.where(short, tf.ones_like(squares), squares)))
        centre, half = 0.5 * math.log(self.most * self.least), 0.5 * math.log(self.most / self.least)
        return mean, tf.exp(centre + half * tf.tanh(raw / half))

    def _density(self, z, parameters):
        mean, concentration = parameters
        apart = -0.5 * tf.reduce_sum(tf.square(z - mean), axis=1)  # z . mu - 1, in which digits would cancel
        area = log_area(self.event_shape[0] - 1)
        return concentration * apart - PolarAngle(concentration, self.event_shape[0]).log_integral() - area

    def _drawn(self, seeds, temperature, parameters):
        mean, concentration = parameters
        uniform = tf.cast(random.uniform(random.fold_in(seeds, 1), ()), mean.dtype)
        angle = PolarAngle(concentration, self.event_shape[0]).draw(tf.maximum(uniform, 2.0**-25))
        angle = (tf.cast(temperature, mean.dtype) * angle)[:, None]
        return _turned(tf.cos(angle), tf.sin(angle) * directions(seeds, self.event_shape[0] - 1, mean.dtype), mean)


def _turned(along, across, mean):
    """Turns points (along, *across) about a pole, (rows, 1) and (rows, m - 1), to lie likewise about the mean.

    It reflects about the pole farther from the mean, so the divisor is at least 1. On the great circle between
    the poles the points of one row jump, but their distribution does not.
    """
    sign = tf.where(mean[:, :1] < 0.0, tf.ones_like(along), -tf.ones_like(along))
    normal = tf.concat([sign - mean[:, :1], -mean[:, 1:]], axis=1)
    points = tf.concat([sign * along, across], axis=1)
    share = tf.reduce_sum(normal * points, axis=1, keepdims=True) / (1.0 - sign * mean[:, :1])
    return points - share * normal
