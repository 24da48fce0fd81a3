"""Methods compiled to graphs that are traced once for any number of rows."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf


def for_any_rows(method: Callable) -> Callable:
    """A method as a graph that the first batch of a kind traces for batches of all sizes.

    TensorFlow by itself traces the first size as it is, and a graph for all sizes when it meets a second.

    Args:
      method: of `self`, which can be referred to weakly, and of tensors with rows as their first axis, scalar tensors,
        mappings of them, None, and Python values.
    """
    eager, nested = (tf.function(method, reduce_retracing=True, autograph=False) for _ in range(2))
    known = weakref.WeakKeyDictionary()  # by `self`

    @functools.wraps(method)
    def call(self, *args):
        if not tf.executing_eagerly():  # the graph around it may be compiled for one size
            return nested.__get__(self, type(self))(*args)
        function, kinds, kind = eager.__get__(self, type(self)), known.setdefault(self, set()), _kind(args)
        if kind not in kinds:
            function.get_concrete_function(*tf.nest.map_structure(_spec, args))
            kinds.add(kind)
        return function(*args)

    return call


def _kind(value: Any):
    if tf.is_tensor(value):
        return value.dtype, value.shape.rank, *value.shape[1:]
    if isinstance(value, Mapping):
        return tuple((key, _kind(part)) for key, part in value.items())
    return tuple(map(_kind, value)) if isinstance(value, tuple) else value


def _spec(value: Any):
    if not tf.is_tensor(value):
        return value
    return tf.TensorSpec([None, *value.shape[1:]] if value.shape.rank else [], value.dtype)
