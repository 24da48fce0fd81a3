"""Data sets are looked at by the shapes and types of their elements, before a graph is traced with them."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import tensorflow as tf

from flowzoo.core.space import ONE, Condition, Space


def check_data_set(data: tf.data.Dataset, x_space: Space, condition: Condition, where: str = "") -> None:
    """Refuses a data set by what it says of its elements; what it leaves open passes.

    Args:
      data: of batches of x, (x, condition) or (x, condition, weights).
      x_space, condition: what the model takes.
      where: stands before the names in messages.

    Raises:
      TypeError: wrong kind of numbers.
      ValueError: wrong shape, no condition where one is needed, or one where none is.
    """
    x, told, _ = keras.utils.unpack_x_y_sample_weight(data.element_spec)
    what = f"{where}{ONE}"
    _require(x, f"{where}x", x_space, "integers" if x_space.values else "floating-point numbers")
    none = told is None or isinstance(told, tf.NoneTensorSpec)
    if not condition:
        if not none and (isinstance(told, Mapping) or told.shape[-1:] != [0]):  # which is none, too
            raise ValueError(f"This flow takes no `{what}`, got one. Build it with `classes` or `condition_features`.")
    elif none:
        raise ValueError(f"`{what}` must be in the data set, got x alone. Give elements (x, condition).")
    else:
        for name, spec in condition.parted(told, what).items():
            space = condition.spaces[name]
            _require(spec, f'{what}["{name}"]' if condition.named else what, space, "integers" if space.values else "")


def _require(spec, what, space, kind):
    """Refuses a spec; `kind` is what numbers must be, "" for any."""
    if not isinstance(spec, tf.TensorSpec):
        return
    shape, dtype = spec.shape, spec.dtype
    known = (dtype.is_integer and kind in ("integers", "")) or (dtype.is_floating and kind != "integers")
    if known and (shape.rank is None or (shape.rank and space.fits(shape[1:]))):
        return
    fix = "Cast it." if not known else "Drop the axis of size 1." if shape[-1:] == [1] else ""
    if shape.rank is not None and space.fits(shape):
        fix = "Divide it into batches by `.batch`."
    expected = space.described()
    if kind == "floating-point numbers":
        expected = expected.replace("numbers", kind)
    raise (ValueError if known else TypeError)(
        f"`{what}` of the data set must be {expected}, got dtype {dtype.name} and shape {shape}. {fix}".rstrip()
    )
