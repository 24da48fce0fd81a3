"""The chi-divergence of the true posterior from q, which an upper bound of the evidence measures.

Reference: Dieng et al. 2017, Variational inference via chi upper bound minimization, arXiv:1611.00328.
"""

from __future__ import annotations

import math

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform
from flowzoo.objectives.draws import through_draws


def chi(
    transform: Transform,
    base: Base,
    x: tf.Tensor,
    condition: tf.Tensor | None,
    context: Context,
    *,
    n: int = 2,
    draws: int = 5,
) -> tf.Tensor:
    """The value of `iwae`, whose gradient trains the decoder; the posterior minimises CUBO_n = log(E[w^n]) / n.

    CUBO_n is log p(x) + log(1 + D) / n, with the chi-divergence D of order n: an upper bound, by which q covers the
    posterior, with more to spare the larger n is. A decoder that minimised it would lower p(x), so the decoder
    maximises the lower bound of the same draws, and the value is that bound.

    What K draws give for CUBO_n, log(mean_k w_k^n) / n, is the note "cubo". In expectation it rises with K from the
    ELBO to CUBO_n, so few draws may leave it below log p(x); only mean_k w_k^n is an unbiased estimate, of
    exp(n CUBO_n). The reparametrised gradient of that estimate is unbiased too, but rows would count by p(x)^n. Its
    logarithm has a biased gradient, which for one draw lowers the ELBO. With u = w^n / sum w^n the gradient used here
    is (1 - n) sum_k u_k (d log w_k / d z_k) d z_k, a ratio of two unbiased estimates, so its bias is O(1 / K). One draw
    raises the ELBO, many lower CUBO_n, and with the true posterior it is 0 in each draw.

    Args:
      transform, base, x, condition, context, draws: as in `iwae`; transforms before the `Stochastic` are trained as
        parts of the decoder.
      n: order of the divergence, at least 2; CUBO_1 is log p(x), whatever the posterior.

    Returns:
      (batch,), in nats.

    Raises:
      ValueError: the transform does not end with its only `Stochastic`.
    """

    def factor(log_weights):  # (n - 1) u / v, where v, by which it is multiplied, may be 0
        return (n - 1) * tf.exp(tf.nn.log_softmax(n * log_weights, axis=1) - tf.nn.log_softmax(log_weights, axis=1))

    value, log_weights = through_draws(transform, base, x, condition, context, draws, factor, apart=True)
    context.note("cubo", (tf.reduce_logsumexp(n * log_weights, axis=1) - math.log(draws)) / n)
    return value
