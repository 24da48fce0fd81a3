"""Flow matching: a velocity is fitted to straight lines between data and latent, without solving an ODE.

Reference: Lipman et al. 2023, Flow matching for generative modeling, arXiv:2210.02747.
"""

from __future__ import annotations

import math

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.bijectors import Chain, Continuous
from flowzoo.core import random
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform, sum_event
from flowzoo.objectives.divided import divided

NEEDS = "Flow matching needs a transform that ends with its only `Continuous`"
FIX = "Use `depth` 1, or train by the likelihood."
LATENT, TIME = -2, -3  # places in the context: no part of a chain has these numbers
EARLY = 0.01  # much smaller times are all alike; edges of the data are blurred at least so much, relative to their size


def flow_matching(
    transform: Transform, base: Base, x: tf.Tensor, condition: tf.Tensor | None, context: Context
) -> tf.Tensor:
    """|T f(T t, y_t) - (z - y)|^2 with y_t = (1 - t) y + t z, for a latent z and a time t in [0, 1) per row.

    f is the velocity of the `Continuous` that ends the transform, T its time, and y the output of the transforms before
    it, which learn nothing from this. Small t are drawn more often, by `times`.

    Args:
      transform: ends with its only `Continuous`.
      base: from which z is drawn.
      x: (batch, *event_shape).
      condition: as the conditioners take it, or None.
      context: with a root, from which z and t are drawn.

    Returns:
      (batch,), summed over the entries of y.

    Raises:
      ValueError: the transform does not end with its only `Continuous`.
    """
    front, last = divided(transform, Continuous, NEEDS, FIX)
    y = tf.stop_gradient(Chain(front).encode(x, condition, context)[0] if front else tf.cast(x, last.compute_dtype))
    z = base.sample(context.at(LATENT).streams, tf.ones(tf.shape(y)[:1]), condition)
    t = times(tf.cast(random.scalars(context.at(TIME).streams), y.dtype))
    share = tf.reshape(t, [-1, *[1] * len(last.event_shape)])
    given = [] if condition is None else [condition]
    velocity = last.time * last.velocity(t * last.time, (1.0 - share) * y + share * z, *given)
    return sum_event(tf.square(velocity - (z - y)))


def times(u: tf.Tensor) -> tf.Tensor:
    """Times of density proportional to 1 / (t + EARLY) from uniform numbers, both in [0, 1).

    By the score's relation to the velocity, an error e(t) of the latter costs about the integral of e(t) (1 - t) / t in
    likelihood (Song et al. 2021, arXiv:2101.09258), so drawing t uniformly would spend most of the work where it counts
    least.
    """
    return EARLY * tf.math.expm1(u * math.log1p(1.0 / EARLY))
