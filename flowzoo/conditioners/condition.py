"""How a condition reaches the input of a conditioner."""

from __future__ import annotations

import tensorflow as tf


def join(h: tf.Tensor, condition: tf.Tensor | None, condition_features: int) -> tf.Tensor:
    """Concatenates a condition to the last axis of h.

    Args:
      h: (batch, features) or (batch, height, width, channels).
      condition: (batch, condition_features), or for images also (batch, any height, any width, condition_features),
        which is resized to h; None when `condition_features` is 0.
      condition_features: how many entries the conditioner was built for.

    Raises:
      ValueError: the condition is missing, unexpected, or of another size.
    """
    condition = checked(h, condition, condition_features)
    if condition is None:
        return h
    if h.shape.rank == 4:
        size = tf.shape(h)[1:3]
        if condition.shape.rank == 2:
            condition = tf.broadcast_to(
                condition[:, None, None], tf.concat([tf.shape(h)[:3], [condition_features]], axis=0)
            )
        else:
            condition = tf.cast(tf.image.resize(condition, size), h.dtype)
    return tf.concat([h, condition], axis=-1)


def checked(h: tf.Tensor, condition: tf.Tensor | None, condition_features: int) -> tf.Tensor | None:
    """The condition in the dtype of h; the arguments and errors are those of `join`."""
    if condition_features == 0:
        if condition is not None:
            raise ValueError(
                "This flow takes no condition, got one. Build it with `condition_features` or `classes` to use one."
            )
        return None
    if condition is None:
        raise ValueError(
            f"`condition` must have {condition_features} features per example, got None. Where the flow has `classes`, "
            "pass the labels."
        )
    condition = tf.cast(condition, h.dtype)
    if condition.shape.rank not in (2, h.shape.rank) or condition.shape[-1] != condition_features:
        raise ValueError(
            f"`condition` must have shape (batch, {condition_features}), got {tuple(condition.shape)}. "
            "Its last axis holds the features."
        )
    return condition
