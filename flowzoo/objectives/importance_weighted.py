"""Bounds of models with latents from several draws of each row, in one batch.

With log w_k = log p(x, z_k) - log q(z_k | x) of K draws, all objectives here are bounds that rise to log p(x) with K.
"""

from __future__ import annotations

import math

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.bijectors import Chain
from flowzoo.core import random
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform
from flowzoo.objectives.divided import divided
from flowzoo.surjections import Stochastic

NEEDS = "This objective needs a transform that ends with its only `Stochastic`, as that of a VAE"


def iwae(
    transform: Transform, base: Base, x: tf.Tensor, condition: tf.Tensor | None, context: Context, *, draws: int = 5
) -> tf.Tensor:
    """-log mean_k w_k: (batch,), in nats; with one draw the negative ELBO.

    Args:
      transform: ends with its only `Stochastic`.
      base: of z.
      x: (batch, *event_shape).
      condition: as the conditioners take it, or None.
      context: with a root.
      draws: K.

    Raises:
      ValueError: the transform does not end with its only `Stochastic`.

    Reference: Burda et al. 2016, Importance weighted autoencoders, arXiv:1509.00519.
    """
    log_weights = _log_weights(transform, base, x, condition, context, draws)
    return math.log(draws) - tf.reduce_logsumexp(log_weights, axis=1)


def dreg(
    transform: Transform, base: Base, x: tf.Tensor, condition: tf.Tensor | None, context: Context, *, draws: int = 5
) -> tf.Tensor:
    """The value of `iwae`, with doubly reparametrised gradients for the posterior, which do not fade as K grows.

    The gradient of the decoder is that of the bound, sum_k v_k d log w_k with v = w / sum w. That of the posterior goes
    through the draws alone, sum_k v_k^2 (d log w_k / d z_k) d z_k; it has the same expectation.

    Arguments and errors are those of `iwae`.

    Reference: Tucker et al. 2019, Doubly reparameterized gradient estimators for Monte Carlo objectives,
    arXiv:1810.04152.
    """
    shares = []  # known only once what is done with the draws is

    @tf.custom_gradient
    def through(z):
        return tf.identity(z), lambda gradient: gradient * tf.reshape(shares[0], [-1] + [1] * (z.shape.rank - 1))

    log_weights = _log_weights(transform, base, x, condition, context, draws, through)
    shares.append(tf.stop_gradient(tf.nn.softmax(log_weights, axis=1)))
    surrogate = -tf.reduce_sum(shares[0] * log_weights, axis=1)
    value = math.log(draws) - tf.reduce_logsumexp(log_weights, axis=1)
    return tf.stop_gradient(value - surrogate) + surrogate


def renyi(
    transform: Transform,
    base: Base,
    x: tf.Tensor,
    condition: tf.Tensor | None,
    context: Context,
    *,
    alpha: float = 0.5,
    draws: int = 5,
) -> tf.Tensor:
    """-log(mean_k w_k^(1 - alpha)) / (1 - alpha): (batch,), in nats.

    With alpha 0 it is `iwae`, with alpha 1 the mean of the ELBOs. The larger alpha, the more the posterior keeps to a
    single mode. Other arguments and errors are those of `iwae`.

    Reference: Li & Turner 2016, Renyi divergence variational inference, arXiv:1602.02311.
    """
    log_weights = _log_weights(transform, base, x, condition, context, draws)
    if alpha == 1.0:
        return -tf.reduce_mean(log_weights, axis=1)
    powers = tf.reduce_logsumexp((1.0 - alpha) * log_weights, axis=1) - math.log(draws)
    return -powers / (1.0 - alpha)


def _log_weights(transform, base, x, condition, context, draws, through=None):
    """log w: (batch, draws); `through` is that of `draws_with_log_prob`."""
    front, layer = divided(transform, Stochastic, NEEDS, "Train by the likelihood.")
    y, log_det = Chain(front).encode(x, condition, context) if front else (x, 0.0)
    rows = tf.shape(x)[0]
    streams = tf.repeat(context.at(len(front)).streams, draws, axis=0)
    seeds = random.fold_in(streams, tf.tile(tf.range(draws), [rows]))
    z, log_q = layer.posterior.draws_with_log_prob(seeds, draws, layer.given(y, condition), through)
    y, condition = (None if one is None else tf.repeat(one, draws, axis=0) for one in (y, condition))
    log_p = layer.decoder.log_prob(tf.cast(y, layer.compute_dtype), layer.given(z, condition))
    log_weights = log_p + base.log_prob(z, condition) - log_q
    return tf.reshape(log_weights, [rows, draws]) + tf.reshape(log_det, [-1, 1])
