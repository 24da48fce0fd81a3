"""Data sets are looked at by the shapes and types of their elements, before a graph is traced with them."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def check_data_set(
    elements: Any,
    event_shape: Sequence[int],
    *,
    bits: int = 0,
    classes: int = 0,
    features: int = 0,
    images: bool = False,
    where: str = "",
) -> None:
    """Refuses a data set by what it says of its elements; what it leaves open passes.

    Args:
      elements: the specs of its batches of x, (x, condition) or (x, condition, weights).
      event_shape, bits: as in `validation.check_array`.
      classes, features, images: as in `validation.check_condition`.
      where: stands before the names in messages.

    Raises:
      TypeError: wrong kind of numbers.
      ValueError: wrong shape, no condition where one is needed, or one where none is.
    """
    x, condition, _ = keras.utils.unpack_x_y_sample_weight(elements)
    what = f"`{where}condition`"
    numbers = f"integers 0 ... {2**bits - 1}" if bits else "floating-point numbers"
    _require(x, f"`{where}x`", [tuple(event_shape)], numbers, integers=bool(bits), floats=not bits)
    none = condition is None or isinstance(condition, tf.NoneTensorSpec)
    if not classes and not features:
        if not none and condition.shape[-1:] != [0]:  # which is none, too
            raise ValueError(f"This flow takes no {what}, got one. Build it with `classes` or `condition_features`.")
    elif none:
        raise ValueError(f"{what} must be in the data set, got x alone. Give elements (x, condition).")
    elif classes:
        _require(condition, what, [()], f"integer labels 0 ... {classes - 1}", floats=False)
    else:
        shapes = [(features,), (None, None, features)] if images else [(features,)]
        _require(condition, what, shapes, "numbers")


def specs(batch: Any, where: str = "") -> tuple[tf.TensorSpec | None, ...]:
    """What `tf.data` would say of batches like this one, whose parts must have as many rows as each other.

    Args:
      batch: x, (x, condition) or (x, condition, weights) in arrays.
      where: stands before the names in messages.
    """
    parts = [None if part is None else np.asarray(part) for part in keras.utils.unpack_x_y_sample_weight(batch)]
    counts = [len(part) for part in parts if part is not None and part.ndim]
    if len(set(counts)) > 1:
        raise ValueError(
            f"`{where}x`, condition and weights in a batch must have as many rows as each other, got "
            f"{', '.join(map(str, counts))}."
        )
    return tuple(None if part is None else tf.TensorSpec((None, *part.shape[1:]), _dtype(part)) for part in parts)


def looked_into(batches: Generator) -> tuple[Any, Generator]:
    """The first batch of a generator, and one that yields it and all others, in tuples, as Keras wants them."""
    first = next(batches, None)
    if first is None:
        raise ValueError(
            "`x` must yield batches, got a generator that has none left. It yields each batch once: make a new one, or "
            "pass a tf.data.Dataset or a PyDataset."
        )

    def every():
        for batch in itertools.chain([first], batches):
            yield batch if isinstance(batch, (tuple, list)) else (batch,)

    return first, every()


def _dtype(part):
    try:
        return tf.as_dtype(part.dtype)
    except TypeError:  # such as times, which are no numbers either
        return tf.string


def _require(spec, what, shapes, numbers, *, integers=True, floats=True):
    if not isinstance(spec, tf.TensorSpec):
        return
    shape, dtype = spec.shape, spec.dtype
    known = (dtype.is_integer and integers) or (dtype.is_floating and floats)
    if known and any(shape.is_compatible_with([None, *event]) for event in shapes):
        return
    cast = f"Cast it, as by tf.cast(..., tf.{'float32' if floats else 'int32'})."
    fix = cast if not known else "Drop the axis of size 1." if shape[-1:] == [1] else ""
    if any(shape.rank is not None and shape.rank == len(event) for event in shapes):
        fix = "Divide it into batches by `.batch`."
    expected = f"(batch, {', '.join(map(str, shapes[0]))}) {numbers}".replace(", )", ",)")
    raise (ValueError if known else TypeError)(
        f"{what} of the data set must be {expected}, got dtype {dtype.name} and shape {shape}. {fix}".rstrip()
    )
