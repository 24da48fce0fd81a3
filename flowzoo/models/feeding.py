"""Arrays of float64 on their way to Keras, which would cast them to float32."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def in_full(method: Callable, dtype: str, x, *others, **options) -> dict[str, Any]:
    """The arguments of a method of `keras.Model`, with arrays x of float64 as data sets if the flow takes float64.

    They give the batches that the arrays would have given, in an order of their own if `shuffle` is on.

    Args:
      method: `fit`, `evaluate` or `predict` of Keras.
      dtype: in which the flow takes x.
      x, others, options: its arguments.
    """
    given = inspect.signature(method).bind(x, *others, **options)
    given = {**given.arguments.pop("kwargs", {}), **given.arguments}
    if dtype != "float64":
        return given
    held_out = given.get("validation_data")
    if isinstance(held_out, (tuple, list)) and _wide(held_out[0]):
        size = given.get("validation_batch_size") or given.get("batch_size")
        given["validation_data"] = _batches(held_out, size, shuffle=False)
    if not _wide(x):
        return given
    rows = [x, given.pop("y", None), given.pop("sample_weight", None)]
    size, share = given.pop("batch_size", None), given.pop("validation_split", 0.0)
    if share and held_out is None:
        first = int(len(x) * (1.0 - share))
        rest = [each(lambda part: part[first:], value) for value in rows]
        given["validation_data"] = _batches(rest, given.pop("validation_batch_size", None) or size, shuffle=False)
        rows = [each(lambda part: part[:first], value) for value in rows]
    ordered = {} if method.__name__ != "fit" else {"shuffle": False}  # Keras warns that it does not shuffle data sets
    shuffle = bool(ordered) and given.get("shuffle", True)
    return {**given, **ordered, "x": _batches(rows, size, shuffle)}


def is_array(x: Any) -> bool:
    """Whether x is an array or a tensor, as all arrays are once they are checked, and not a data set."""
    return isinstance(x, np.ndarray) or tf.is_tensor(x)


def each(function: Callable, value: Any) -> Any:
    """`function` of a value, or of each value in a dict; None stays None."""
    return tf.nest.map_structure(lambda part: None if part is None else function(part), value)


def _wide(x):
    return is_array(x) and tf.as_dtype(x.dtype) == tf.float64


def _batches(values, size, shuffle):
    """A data set of batches of x, (x, y) or (x, y, weight), cut from arrays as Keras cuts them."""
    values = [each(tf.convert_to_tensor, value) for value in values]
    while values[-1] is None:
        values.pop()
    rows, size = len(values[0]), size or 32

    def order(_):
        return tf.random.shuffle(tf.range(rows)) if shuffle else tf.range(rows)

    index = tf.data.Dataset.range(1).map(order).unbatch().batch(size)

    def picked(index):
        found = tuple(each(lambda part: tf.gather(part, index), value) for value in values)
        return found if len(found) > 1 else found[0]

    batches = index.map(picked).apply(tf.data.experimental.assert_cardinality(-(-rows // size)))
    return batches.prefetch(tf.data.AUTOTUNE)
