"""A flow on top of a conditional normal distribution, as a posterior of a latent-variable model.

References: Rezende & Mohamed 2015, Variational inference with normalizing flows, arXiv:1505.05770; Kingma et al. 2016,
Improving variational inference with inverse autoregressive flow, arXiv:1606.04934.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from flowzoo.bases.conditional import ConditionalNormal
from flowzoo.bases.transformed import require_bijection
from flowzoo.core import random
from flowzoo.core.transform import Transform

if TYPE_CHECKING:
    import tensorflow_probability as tfp

DRAWS = 128  # for the mean


class ConditionalFlow(ConditionalNormal):
    """z = transform.decode(u, h), u ~ N(loc, exp(log_scale)^2), with (loc, log_scale, h) = network(condition).

    h, the condition of the transform, is what the network gives besides loc and log_scale. A draw comes with its
    density in one pass of decode; the density of any other z takes one of encode.

    The temperature multiplies the standard deviation of u.

    Args:
      event_shape: (features,) of one z.
      condition_features: size of the condition.
      network: a built Keras layer, (rows, condition_features) -> (rows, 2 * features + size of h), such as
        `MLP(condition_features, 2 * features + 64, [128], random_outputs=64)`: if h started at zero, neither it nor the
        networks that take it would learn.
      transform: an exact bijection of z that takes h as its condition.
      bound: log-scales lie within (-bound, bound).
      dtype: float32 or float64.

    Raises:
      TypeError: `transform` is not an exact bijection.
      ValueError: `transform` has another shape.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_features: int,
        network: keras.layers.Layer,
        transform: Transform,
        *,
        bound: float = 5.0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, condition_features, network, bound=bound, dtype=dtype, name=name)
        require_bijection(transform, "log q(z)")
        if transform.event_shape != self.event_shape or transform.latent_shape != self.event_shape:
            raise ValueError(f"`transform` must map {self.event_shape} to itself, got {transform.event_shape}.")
        self.transform = transform

    def mean(self, condition: tf.Tensor | None = None) -> tf.Tensor:
        """E[z | condition], estimated by 128 draws in pairs of opposite u, the same ones for all rows."""
        return average(self.transform, *self._parameters(condition))

    def distribution(self, condition: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        from flowzoo.bases.flowed_normal import FlowedNormal  # TFP takes seconds

        return FlowedNormal(self.transform, *self._parameters(condition), average)

    def _parameters(self, condition):
        outputs = self._outputs(condition)
        size = 2 * math.prod(self.event_shape)
        return *self._normal(outputs[:, :size]), outputs[:, size:]

    def _fixed(self, parameters):
        raise ValueError(
            "`fixed` must be False, got True: the density of a flow depends on its own weights, too, not on z and the "
            "parameters alone. Train a posterior with a flow by 'iwae' or 'rws', not by 'dreg' or 'chi'."
        )

    def _density(self, z, parameters):
        *normal, h = parameters
        u, log_det = self.transform.encode(z, h)
        return super()._density(u, normal) + log_det

    def _drawn(self, seeds, temperature, parameters):
        *normal, h = parameters
        return self.transform.decode(super()._drawn(seeds, temperature, normal), h)[0]

    def _drawn_with_density(self, seeds, temperature, parameters):
        *normal, h = parameters
        u = super()._drawn(seeds, temperature, normal)
        z, log_det = self.transform.decode(u, h)
        return z, super()._density(u, normal) - log_det


def average(transform: Transform, loc: tf.Tensor, log_scale: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
    """The mean of decoded draws of N(loc, exp(log_scale)^2), a pair of opposite ones at a time: (rows, features)."""
    noise = tf.cast(random.normal(random.row_seeds(0, DRAWS // 2), loc.shape[1:]), loc.dtype)
    both = tf.concat([h, h], axis=0)

    def add(i, total):
        away = tf.exp(log_scale) * noise[i]
        z, _ = transform.decode(tf.concat([loc + away, loc - away], axis=0), both)
        return i + 1, total + tf.add_n(tf.split(z, 2, axis=0))

    start = tf.constant(0), tf.zeros_like(loc)
    _, total = tf.while_loop(lambda i, _: i < DRAWS // 2, add, start, maximum_iterations=DRAWS // 2)
    return total / DRAWS
