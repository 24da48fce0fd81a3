"""The negative log-likelihood, with the penalties of the transforms."""

from __future__ import annotations

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.core.context import PENALTY, Context
from flowzoo.core.transform import Transform


def log_prob(
    transform: Transform, base: Base, x: tf.Tensor, condition: tf.Tensor | None, context: Context
) -> tf.Tensor:
    """log p_base(z) + log_det with z, log_det = transform.encode(x): (batch,), in nats."""
    z, log_det = transform.encode(x, condition, context)
    return base.log_prob(z, condition) + log_det


def likelihood(
    transform: Transform, base: Base, x: tf.Tensor, condition: tf.Tensor | None, context: Context
) -> tf.Tensor:
    """-log p(x); in training plus the penalties of the transforms.

    Args:
      transform, base: of the flow.
      x: (batch, *event_shape).
      condition: as the conditioners take it, or None.
      context: with a root if the transform draws noise or probes.

    Returns:
      (batch,), in nats.
    """
    loss = -log_prob(transform, base, x, condition, context)
    notes = context.notes
    return loss + notes[PENALTY] if context.training and PENALTY in notes else loss
