"""Lower bounds of models with latents from several draws of each row, in one batch.

With log w_k = log p(x, z_k) - log q(z_k | x) of K draws; all but those of `renyi` rise to log p(x) with K.
"""

from __future__ import annotations

import math

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform
from flowzoo.objectives.draws import log_densities, minus_bound, shares, through_draws


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
    return minus_bound(_log_weights(transform, base, x, condition, context, draws))


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
    return through_draws(transform, base, x, condition, context, draws, shares)[0]


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
    single mode. The bound of K draws lies between the ELBO and, as K grows, log p(x) - D_alpha(q(z | x) || p(z | x)) by
    Renyi's divergence, which is above the ELBO for alpha < 1 and below for alpha > 1. Other arguments and errors are
    those of `iwae`.

    Reference: Li & Turner 2016, Renyi divergence variational inference, arXiv:1602.02311.
    """
    log_weights = _log_weights(transform, base, x, condition, context, draws)
    if alpha == 1.0:
        return -tf.reduce_mean(log_weights, axis=1)
    powers = tf.reduce_logsumexp((1.0 - alpha) * log_weights, axis=1) - math.log(draws)
    return -powers / (1.0 - alpha)


def _log_weights(*given):
    log_p, log_q = log_densities(*given)
    return log_p - log_q
