"""The weights that a SavedModel stores: a flow's own, or copies of half the size."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from flowzoo.bijectors import Standardize

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow

DTYPES = ("float32", "bfloat16", "float16")


def stored(flow: Flow, dtype: str) -> tuple[list[tf.Variable], Callable]:
    """What to store, and a context in which the flow reads it.

    Args:
      flow: a `Flow`.
      dtype: "float32" for the flow's weights as they are; "bfloat16" or "float16" for floating-point ones rounded to
        that and widened again where the graph reads them, so that everything is still computed as before. Shift and
        scale of `Standardize` stay as they are: time stamps would lose all their digits.

    Raises:
      ValueError: another `dtype`, or a weight that is infinite in it.
    """
    if dtype not in DTYPES:
        raise ValueError(f"`weights_dtype` must be one of {', '.join(DTYPES)}, got {dtype!r}.")
    if dtype == "float32":
        return [variable.value for variable in flow.variables], contextlib.nullcontext
    exact = {
        id(weight) for layer in flow._flatten_layers() if isinstance(layer, Standardize) for weight in layer.weights
    }
    floating = [tf.as_dtype(variable.dtype).is_floating and id(variable) not in exact for variable in flow.variables]
    wide = list(itertools.compress(flow.variables, floating))
    narrow = [tf.Variable(_rounded(variable, dtype), trainable=False) for variable in wide]
    others = [variable.value for variable, narrowed in zip(flow.variables, floating, strict=True) if not narrowed]

    def reading():
        pairs = zip(wide, narrow, strict=True)
        return keras.StatelessScope([(variable, tf.cast(copy, variable.dtype)) for variable, copy in pairs])

    return [*narrow, *others], reading


def _rounded(variable, dtype):
    value = tf.cast(variable.value, dtype)
    if not bool(tf.reduce_all(tf.math.is_finite(value))):
        raise ValueError(f"`weights_dtype` must hold every weight, got {dtype}, in which {variable.path} is infinite.")
    return value
