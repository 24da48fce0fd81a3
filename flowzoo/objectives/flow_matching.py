"""Flow matching: a velocity is fitted to straight lines between data and latent, without solving an equation.

Reference: Lipman et al. 2023, Flow matching for generative modeling, arXiv:2210.02747.
"""

from __future__ import annotations

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.bijectors import Chain, Continuous
from flowzoo.core import random
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform, sum_event

LATENT, TIME = -2, -3  # folded into the streams of rows: no place in a chain has these numbers


def flow_matching(
    transform: Transform, base: Base, x: tf.Tensor, condition: tf.Tensor | None, context: Context
) -> tf.Tensor:
    """|T velocity(T t, y_t) - (z - y)|^2 at y_t = (1 - t) y + t z, for one random t and latent z per row.

    y is what the transforms before the continuous one make of x; these learn nothing from it.

    Args:
      transform: ends with its only `Continuous`, of time T.
      base: which z is drawn from.
      x: (batch, *event_shape).
      condition: as the conditioners take it, or None.
      context: with a root.

    Returns:
      (batch,), summed over the entries of y.

    Raises:
      ValueError: the transform does not end so.
    """
    front, last = _divided(transform)
    y = tf.stop_gradient(Chain(front).encode(x, condition, context)[0] if front else tf.cast(x, last.compute_dtype))
    z = base.sample(context.at(LATENT).streams, tf.ones(tf.shape(y)[:1]), condition)
    t = tf.cast(random.uniform(context.at(TIME).streams, ()), y.dtype)
    share = tf.reshape(t, [-1, *[1] * len(last.event_shape)])
    given = [] if condition is None else [condition]
    velocity = last.velocity(t * last.time, (1.0 - share) * y + share * z, *given)
    return sum_event(tf.square(velocity * last.time - (z - y)))


def _divided(transform):
    """The transforms before the continuous one, and that."""
    parts = list(transform.transforms) if isinstance(transform, Chain) else [transform]
    count = sum(isinstance(layer, Continuous) for layer in transform._flatten_layers())
    if count != 1 or not isinstance(parts[-1], Continuous):
        raise ValueError(
            f"Flow matching needs a transform that ends with its only `Continuous`, got {count} of them, and "
            f"{type(parts[-1]).__name__} last. Use `depth` 1, or train by the likelihood."
        )
    return parts[:-1], parts[-1]
