"""TFP's many leading dimensions to flowzoo's one, and back."""

from __future__ import annotations

import tensorflow as tf


def leading_shape(x, event_ndims: int, batch_shape=()):
    """The dimensions of x before the event, broadcast with a batch shape; static where it is known."""
    rank = x.shape.rank - event_ndims
    batch_shape = tf.TensorShape(batch_shape)
    if rank < 0:
        raise ValueError(f"Expected a tensor of at least {event_ndims} dimensions, got shape {tuple(x.shape)}.")
    if x.shape[:rank].is_fully_defined():
        return tf.broadcast_static_shape(x.shape[:rank], batch_shape).as_list()
    return tf.broadcast_dynamic_shape(tf.shape(x)[:rank], batch_shape.as_list())


def as_rows(x, leading, event_shape):
    """(..., *event_shape) -> (rows, *event_shape), one row for each entry of the `leading` shape."""
    x = tf.broadcast_to(x, tf.concat([leading, tf.constant(event_shape, tf.int32)], axis=0))
    return tf.reshape(x, [-1, *event_shape])


def from_rows(rows, leading, event_shape):
    """(rows, *event_shape) -> (*leading, *event_shape)."""
    return tf.reshape(rows, tf.concat([leading, tf.constant(event_shape, tf.int32)], axis=0))
