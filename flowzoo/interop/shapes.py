"""TFP's many leading dimensions to flowzoo's one, and back."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def leading_shape(
    x: tf.Tensor, event_ndims: int, batch_shape: tf.TensorShape | Sequence[int] = ()
) -> tf.Tensor | list[int]:
    """The dimensions of x before the event, broadcast with a batch shape; static where it is known."""
    rank = x.shape.rank - event_ndims
    batch_shape = tf.TensorShape(batch_shape)
    if rank < 0:
        raise ValueError(f"Expected a tensor of at least {event_ndims} dimensions, got shape {tuple(x.shape)}.")
    if x.shape[:rank].is_fully_defined():
        return tf.broadcast_static_shape(x.shape[:rank], batch_shape).as_list()
    return tf.broadcast_dynamic_shape(tf.shape(x)[:rank], batch_shape.as_list())


def as_rows(x: tf.Tensor, leading: tf.Tensor | list[int], event_shape: Sequence[int]) -> tf.Tensor:
    """(..., *event_shape) -> (rows, *event_shape), one row for each entry of the `leading` shape.

    Only the leading dimensions are broadcast; ValueError if the trailing ones are not those of an event.
    """
    rank = x.shape.rank - len(event_shape)
    if rank < 0 or not x.shape[rank:].is_compatible_with(event_shape):
        raise ValueError(
            f"Expected shape (..., {', '.join(map(str, event_shape))}), got {tuple(x.shape)}. Events are not broadcast."
        )
    x = tf.ensure_shape(x, [*[None] * rank, *event_shape])  # dimensions that are known only when it runs
    x = tf.broadcast_to(x, tf.concat([leading, tf.constant(event_shape, tf.int32)], axis=0))
    return tf.reshape(x, [-1, *event_shape])


def from_rows(rows: tf.Tensor, leading: tf.Tensor | list[int], event_shape: Sequence[int]) -> tf.Tensor:
    """(rows, *event_shape) -> (*leading, *event_shape)."""
    return tf.reshape(rows, tf.concat([leading, tf.constant(event_shape, tf.int32)], axis=0))
