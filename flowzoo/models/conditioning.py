"""A condition as networks get it: labels one-hot, pixels between -1/2 and 1/2, several values concatenated."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from flowzoo.core.space import Condition


def joined(value: Any, condition: Condition, dtype: str) -> tf.Tensor | None:
    """The features that networks are given: (batch, features), or (batch, *places, features) if a value has places.

    Args:
      value: a tensor, a dict of them, or None, as `condition` says; a vector without features counts as None.
      condition: of the model.
      dtype: in which the networks' model computes.

    Raises:
      TypeError: labels are not integers, or have an axis too many.
    """
    if value is None:
        return None
    if not condition:
        value = tf.convert_to_tensor(value)
        return None if value.shape[-1:] == [0] else tf.cast(value, dtype)
    parts = [_features(tf.convert_to_tensor(part), space, dtype, what) for what, part, space in condition.pairs(value)]
    if len(parts) == 1:
        return parts[0]
    places = next((tf.shape(part)[1:-1] for part in parts if part.shape.rank > 2), None)
    return tf.concat([part if places is None else _everywhere(part, places) for part in parts], axis=-1)


def _features(value, space, dtype, what):
    if not space.values:
        return tf.cast(value, dtype)
    if not value.dtype.is_integer or value.shape.rank not in (1 + len(space.shape), None):
        raise TypeError(
            f"`{what}` must be {space.described()}, got dtype {value.dtype.name} and shape {value.shape}. Cast them, "
            "and drop an axis of size 1."
        )
    wide = value.dtype in (tf.int64, tf.uint32, tf.uint64)  # int32 would turn large labels into small ones
    integers = tf.cast(value, tf.int64 if wide else tf.int32)
    known = (integers >= 0) & (integers < space.values)  # a row of zeros would pass for a class
    if not space.one_hot:
        return tf.where(known, tf.cast(integers, dtype) / max(space.highest, 1) - 0.5, math.nan)
    return tf.where(known[..., None], tf.one_hot(tf.cast(integers, tf.int32), space.values, dtype=dtype), math.nan)


def _everywhere(part, places):
    """A value without places, repeated at all of them."""
    if part.shape.rank > 2:
        return part
    ones = tf.ones_like(places)
    rows, features = tf.shape(part)[:1], tf.shape(part)[-1:]
    return tf.broadcast_to(
        tf.reshape(part, tf.concat([rows, ones, features], 0)), tf.concat([rows, places, features], 0)
    )
