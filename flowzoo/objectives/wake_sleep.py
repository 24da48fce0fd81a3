"""Reweighted wake-sleep: the decoder learns by a bound, the posterior from latents that it need not differentiate.

References: Bornschein & Bengio 2015, Reweighted wake-sleep, arXiv:1406.2751; Le et al. 2019, Revisiting reweighted
wake-sleep for models with stochastic control flow, arXiv:1805.10469.
"""

from __future__ import annotations

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform
from flowzoo.objectives.draws import as_value, front_and_layer, log_densities, minus_bound, shares

LATENT, DREAM = -2, -3  # places in the context: no part of a chain has these numbers


def rws(
    transform: Transform,
    base: Base,
    x: tf.Tensor,
    condition: tf.Tensor | None,
    context: Context,
    *,
    draws: int = 5,
    sleep: float = 0.0,
) -> tf.Tensor:
    """The value of `iwae`, whose gradient trains the decoder; the posterior minimises KL(p(z | x) || q(z | x)).

    Awake, that is -sum_k v_k log q(z_k | x) with v = w / sum w of the z_k that were drawn, up to a bias of O(1 / K):
    of one draw it is noise. Asleep, it is -log q(z | x) for one pair (z, x) drawn from the model per row, without
    bias, but over the model's x in place of the data. Neither differentiates draws or weights.

    Args:
      transform, base, x, condition, context, draws: as in `iwae`; transforms before the `Stochastic` are trained as
        parts of the decoder.
      sleep: share of the sleep phase in what the posterior minimises, from 0 to 1.

    Returns:
      (batch,), in nats.

    Raises:
      ValueError: the transform does not end with its only `Stochastic`.
    """
    given = transform, base, x, condition, context
    log_p, log_q = log_densities(*given, draws, through=tf.stop_gradient, apart=True)
    fixed = tf.stop_gradient(log_p - log_q)
    surrogate = -tf.reduce_sum(shares(fixed) * (log_p + (1.0 - sleep) * log_q), axis=1)
    if sleep:
        surrogate -= sleep * _log_q_of_dreams(transform, base, condition, context, tf.shape(x)[0])
    return as_value(minus_bound(fixed), surrogate)


def _log_q_of_dreams(transform, base, condition, context, rows):
    """log q(z | y) of pairs drawn from the model, (batch,), where y is what the `Stochastic` takes for x."""
    _, layer = front_and_layer(transform)
    one = tf.ones([rows])
    z = base.sample(context.at(LATENT).streams, one, condition)
    y = layer.decoder.sample(context.at(DREAM).streams, one, layer.given(z, condition))
    return layer.posterior.log_prob(tf.stop_gradient(z), layer.given(tf.stop_gradient(y), condition))
