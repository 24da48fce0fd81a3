"""Data sets are looked at by the shapes and types of their elements, before a graph is traced with them."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core.space import ONE, Condition, Space


def check_data_set(elements: Any, x_space: Space, condition: Condition, where: str = "") -> None:
    """Refuses a data set by what it says of its elements; what it leaves open passes.

    Args:
      elements: the specs of its batches of x, (x, condition) or (x, condition, weights).
      x_space, condition: what the model takes.
      where: stands before the names in messages.

    Raises:
      TypeError: wrong kind of numbers.
      ValueError: wrong shape, no condition where one is needed, or one where none is.
    """
    x, told, _ = keras.utils.unpack_x_y_sample_weight(elements)
    what = f"{where}{ONE}"
    _require(x, f"{where}x", x_space, "integers" if x_space.values else "floating-point numbers")
    none = told is None or isinstance(told, tf.NoneTensorSpec)
    if not condition:
        if not none and (isinstance(told, Mapping) or told.shape[-1:] != [0]):  # which is none, too
            raise ValueError(f"This flow takes no `{what}`, got one. Build it with `classes` or `condition_features`.")
    elif none:
        raise ValueError(f"`{what}` must be in the data set, got x alone. Give elements (x, condition).")
    else:
        for called, spec, space in condition.pairs(told, what):
            _require(spec, called, space, "integers" if space.values else "")


def specs(batch: Any, where: str = "") -> tuple[tf.TensorSpec | None, ...]:
    """What `tf.data` would say of batches like this one, whose parts must have as many rows as each other.

    Args:
      batch: x, (x, condition) or (x, condition, weights) in arrays.
      where: stands before the names in messages.
    """
    parts = tf.nest.map_structure(
        lambda part: None if part is None else np.asarray(part), keras.utils.unpack_x_y_sample_weight(batch)
    )
    counts = [len(part) for part in tf.nest.flatten(parts) if part is not None and part.ndim]
    if len(set(counts)) > 1:
        raise ValueError(
            f"`{where}x`, condition and weights in a batch must have as many rows as each other, got "
            f"{', '.join(map(str, counts))}."
        )

    def spec(part):
        return None if part is None else tf.TensorSpec((None, *part.shape[1:]), _dtype(part))

    return tf.nest.map_structure(spec, parts)


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


def _require(spec, what, space, kind):
    """Refuses a spec; `kind` is what numbers must be, "" for any."""
    if not isinstance(spec, tf.TensorSpec):
        return
    shape, dtype = spec.shape, spec.dtype
    known = (dtype.is_integer and kind in ("integers", "")) or (dtype.is_floating and kind != "integers")
    if known and (shape.rank is None or (shape.rank and space.fits(shape[1:]))):
        return
    cast = f"Cast it, as by tf.cast(..., tf.{'int32' if kind == 'integers' else 'float32'})."
    fix = cast if not known else "Drop the axis of size 1." if shape[-1:] == [1] else ""
    if shape.rank is not None and space.fits(shape):
        fix = "Divide it into batches by `.batch`."
    expected = space.described()
    if kind == "floating-point numbers":
        expected = expected.replace("numbers", kind)
    raise (ValueError if known else TypeError)(
        f"`{what}` of the data set must be {expected}, got dtype {dtype.name} and shape {shape}. {fix}".rstrip()
    )
