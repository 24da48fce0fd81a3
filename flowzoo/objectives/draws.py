"""Several draws of z for each row, in one batch, as the objectives of latent-variable models weigh them."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.bijectors import Chain
from flowzoo.core import random
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform
from flowzoo.objectives.divided import divided
from flowzoo.surjections import Stochastic

NEEDS = "This objective needs a transform that ends with its only `Stochastic`, as that of a VAE"


def front_and_layer(transform: Transform) -> tuple[list[Transform], Stochastic]:
    """The transforms before the only `Stochastic`, which is the last, and that one; else a ValueError."""
    return divided(transform, Stochastic, NEEDS, "Train by the likelihood.")


def log_densities(
    transform: Transform,
    base: Base,
    x: tf.Tensor,
    condition: tf.Tensor | None,
    context: Context,
    draws: int,
    *,
    through: Callable[[tf.Tensor], tf.Tensor] | None = None,
    fixed: bool = False,
    apart: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """log p(x, z_k) and log q(z_k | x) of the draws z_k: (batch, draws) each, in nats.

    Args:
      transform, base, x, condition, context, draws: as in `importance_weighted.iwae`.
      through, fixed: of the draws, as in `GivenCondition.draws_with_log_prob`.
      apart: transforms before the layer get no gradient by way of the posterior, whose objective is then its own.
    """
    front, layer = front_and_layer(transform)
    y, log_det = Chain(front).encode(x, condition, context) if front else (x, 0.0)
    rows = tf.shape(x)[0]
    streams = tf.repeat(context.at(len(front)).streams, draws, axis=0)
    seeds = random.fold_in(streams, tf.tile(tf.range(draws), [rows]))
    given = layer.given(tf.stop_gradient(y) if apart else y, condition)
    z, log_q = layer.posterior.draws_with_log_prob(seeds, draws, given, through, fixed)
    y, condition = (None if one is None else tf.repeat(one, draws, axis=0) for one in (y, condition))
    log_p = layer.decoder.log_prob(tf.cast(y, layer.compute_dtype), layer.given(z, condition))
    log_p, log_q = (tf.reshape(one, [rows, draws]) for one in (log_p + base.log_prob(z, condition), log_q))
    return log_p + tf.reshape(log_det, [-1, 1]), log_q


def through_draws(
    transform: Transform,
    base: Base,
    x: tf.Tensor,
    condition: tf.Tensor | None,
    context: Context,
    draws: int,
    factor: Callable[[tf.Tensor], tf.Tensor],
    *,
    apart: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """-log mean_k w_k, whose gradient for the posterior goes through the draws alone and is changed by a factor.

    The decoder's gradient is that of the bound, sum_k v_k d log w_k with v = w / sum w. The posterior's is
    sum_k f_k v_k (d log w_k / d z_k) d z_k for the factors f, which is 0 in each draw once the posterior is the true
    one, since log w_k is then the same for all z.

    Args:
      transform, base, x, condition, context, draws: as in `importance_weighted.iwae`.
      factor: log w -> f, both (batch, draws).
      apart: as in `log_densities`.

    Returns:
      (batch,), and log w without a gradient: (batch, draws), in nats.
    """
    factors = []  # known only once what is done with the draws is

    @tf.custom_gradient
    def through(z):
        return tf.identity(z), lambda gradient: gradient * tf.reshape(factors[0], [-1] + [1] * (z.shape.rank - 1))

    given = transform, base, x, condition, context, draws
    log_p, log_q = log_densities(*given, through=through, fixed=True, apart=apart)
    log_weights = log_p - log_q
    fixed = tf.stop_gradient(log_weights)
    factors.append(factor(fixed))
    return as_value(minus_bound(fixed), -tf.reduce_sum(shares(fixed) * log_weights, axis=1)), fixed


def minus_bound(log_weights: tf.Tensor) -> tf.Tensor:
    """-log mean_k w_k: (batch, draws) -> (batch,)."""
    return math.log(log_weights.shape[1]) - tf.reduce_logsumexp(log_weights, axis=1)


def shares(log_weights: tf.Tensor) -> tf.Tensor:
    """w / sum w without a gradient: (batch, draws)."""
    return tf.stop_gradient(tf.nn.softmax(log_weights, axis=1))


def as_value(value: tf.Tensor, surrogate: tf.Tensor) -> tf.Tensor:
    """The value of the one with the gradient of the other."""
    return tf.stop_gradient(value - surrogate) + surrogate
