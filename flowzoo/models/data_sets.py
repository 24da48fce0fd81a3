"""Checks of data sets by the shapes and types of their elements, before a graph is traced with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core.space import ONE, Condition, Space


def check_data_set(elements: Any, x_space: Space, condition: Condition, where: str = "") -> None:
    """Refuses a data set whose element specs do not fit; what they leave open passes.

    Args:
      elements: the specs of its batches of x, (x, condition) or (x, condition, weights).
      x_space, condition: what the model takes.
      where: a prefix of the names in messages.

    Raises:
      TypeError: wrong kind of numbers.
      ValueError: wrong shape, no condition where one is needed, or one where none is.
    """
    x, y, weights = keras.utils.unpack_x_y_sample_weight(elements)
    y, weights = (None if isinstance(part, tf.NoneTensorSpec) else part for part in (y, weights))
    what = f"{where}{ONE}"
    _require(x, f"{where}x", x_space, "integers" if x_space.values else "floating-point numbers")
    if not condition:
        if y is not None and (isinstance(y, Mapping) or y.shape[-1:] != [0]):  # (rows, 0) is none, too
            raise ValueError(f"This flow takes no `{what}`, got one. Build it with `classes` or `condition_features`.")
    elif y is None:
        raise ValueError(f"`{what}` must be in the data set, got x alone. Give elements (x, condition).")
    else:
        for called, spec, space in condition.pairs(y, what):
            _require(spec, called, space, "integers" if space.values else "")
            _require_rows(spec, x, called)
    if weights is not None:
        _require_weights(weights, f"{where}sample_weight")
        _require_rows(weights, x, f"{where}sample_weight")


def with_shapes(batches: tf.data.Dataset, x_space: Space, condition: Condition) -> tf.data.Dataset:
    """The data set with shapes stated where it leaves them open, as `from_generator` does; other shapes stop it."""
    specs = tf.nest.flatten(keras.utils.unpack_x_y_sample_weight(batches.element_spec))
    shapes = [spec.shape for spec in specs if isinstance(spec, tf.TensorSpec)]
    if all(shape.rank is not None and None not in shape[1:] for shape in shapes):
        return batches

    def stated(*batch):
        x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
        x = tf.ensure_shape(x, [None, *x_space.shape])
        y = condition.map(lambda part, space: tf.ensure_shape(part, [None, *space.shape]), y) if condition else y
        return x if len(batch) == 1 else (x, y, weights)[: len(batch)]

    return batches.map(stated)


def specs(batch: Any, where: str = "") -> tuple[tf.TensorSpec | None, ...]:
    """What `tf.data` would say of batches like this one, whose parts must have the same number of rows.

    Args:
      batch: x, (x, condition) or (x, condition, weights) in arrays.
      where: a prefix of the names in messages.
    """
    parts = tf.nest.map_structure(
        lambda part: None if part is None else np.asarray(part), keras.utils.unpack_x_y_sample_weight(batch)
    )
    counts = [len(part) for part in tf.nest.flatten(parts) if part is not None and part.ndim]
    if len(set(counts)) > 1:
        raise ValueError(
            f"`{where}x`, condition and weights in a batch must have the same number of rows, got "
            f"{', '.join(map(str, counts))}."
        )

    def spec(part):
        return None if part is None else tf.TensorSpec((None, *part.shape[1:]), _dtype(part))

    return tf.nest.map_structure(spec, parts)


def require_alike(batch: Sequence, first: Sequence, condition: Condition, where: str = "") -> None:
    """Refuses a batch whose types differ from the first's, to which Keras would cast it, or weights in only one.

    Args:
      batch, first: their specs.
      condition: what the model takes.
      where: a prefix of the names in messages.

    Raises:
      TypeError: another type.
      ValueError: weights in one of them only.
    """
    pairs = [(f"{where}x", batch[0], first[0])]
    others = zip(condition.pairs(batch[1], f"{where}{ONE}"), condition.pairs(first[1]), strict=True)
    pairs += [(what, spec, known) for (what, spec, _), (_, known, _) in others]
    for what, spec, known in pairs:
        if spec.dtype != known.dtype:
            raise TypeError(
                f"`{what}` of the data set must have one dtype in all batches, got {spec.dtype.name} after "
                f"{known.dtype.name}. Cast it to one of them."
            )
    if (batch[2] is None) != (first[2] is None):
        raise ValueError(
            f"`{where}sample_weight` must be in each batch of the data set or in none, got it in some. Give ones in "
            "the others."
        )


def _dtype(part):
    try:
        return tf.as_dtype(part.dtype)
    except TypeError:  # such as times, which are no numbers either
        return tf.string


def _require(spec, what, space, kind):
    """Refuses a spec; `kind` is what numbers must be, "" for any."""
    expected = space.described()
    if kind == "floating-point numbers":
        expected = expected.replace("numbers", kind)
    if not isinstance(spec, tf.TensorSpec):
        raise TypeError(
            f"`{what}` of the data set must be {expected}, got {_kind(spec)}. Give elements x, (x, condition) or (x, "
            "condition, weights) of plain tensors, as by `.map`."
        )
    shape, dtype = spec.shape, spec.dtype
    known = (dtype.is_integer and kind in ("integers", "")) or (dtype.is_floating and kind != "integers")
    if known and (shape.rank is None or (shape.rank and space.fits(shape[1:]))):
        return
    cast = f"Cast it, as by tf.cast(..., tf.{'int32' if kind == 'integers' else space.dtype})."
    fix = cast if not known else "Drop the axis of size 1." if shape[-1:] == [1] else ""
    if shape.rank is not None and space.fits(shape):
        fix = "Divide it into batches by `.batch`."
    if known and shape.rank == 1 and shape != [1] and space.shape == (1,):
        fix = "Give a column of one feature its axis, as by x[:, None]."
    raise (ValueError if known else TypeError)(
        f"`{what}` of the data set must be {expected}, got dtype {dtype.name} and shape {shape}. {fix}".rstrip()
    )


def _require_weights(spec, what):
    expected = f"`{what}` of the data set must be (batch,) numbers, one for each row of x, got "
    if not isinstance(spec, tf.TensorSpec):
        raise TypeError(f"{expected}{_kind(spec)}.")
    shape, dtype = spec.shape, spec.dtype
    if not (shape.rank in (None, 1) or shape[1:] == [1]) or not (dtype.is_integer or dtype.is_floating):
        raise ValueError(f"{expected}dtype {dtype.name} and shape {shape}.")


def _require_rows(spec, x, what):
    """Refuses a part whose number of rows is known and is not that of x: one row would be taken for all."""
    rows, of_x = (shape[0] if shape.rank else None for shape in (spec.shape, x.shape))
    if rows is not None and rows != of_x:
        raise ValueError(
            f"`{what}` of the data set must have one row for each of x, got shape {spec.shape} beside {x.shape}. "
            "Divide them into batches together."
        )


def _kind(spec):
    """What a spec other than a tensor's describes, in a word or two."""
    if spec is None or isinstance(spec, tf.NoneTensorSpec):
        return "None"
    return "a dict" if isinstance(spec, Mapping) else f"a {getattr(spec, 'value_type', type(spec)).__name__}"
