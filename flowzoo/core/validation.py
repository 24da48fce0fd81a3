"""Checks of what a caller passes in from Python, before it reaches a graph."""

from __future__ import annotations

import math
import numbers
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core import random
from flowzoo.core.checks import check_seed
from flowzoo.core.space import OFF_SPHERE, ONE, Condition, Space

BLOCK = 2**20  # numbers that are looked at together


def check_data(x, space: Space, what: str = "x", **how) -> tf.Tensor:
    """`check_array` as a tensor."""
    return tf.convert_to_tensor(check_array(x, space, what, **how))


def check_array(
    x, space: Space, what: str = "x", *, finite: bool = True, squares: bool = False
) -> np.ndarray | tf.Tensor:
    """Returns x in the dtype of its space, or raises naming what was expected and what was given.

    Args:
      x: (batch, *space.shape), an array or tensor. A tensor stays one, so that gradients reach it.
      space: of one example. Integers may be of any type; other numbers must be floating-point.
      what: the name of x in messages.
      finite: whether rows with NaN or infinity are refused.
      squares: whether rows whose squares would overflow in a likelihood are refused.

    Raises:
      TypeError: wrong kind of numbers.
      ValueError: wrong shape, a non-finite entry, or an integer out of range.
    """
    require_unmasked(x, what)
    values = np.asarray(x)
    if not values.ndim or not space.fits(values.shape[1:]):
        one = ": for one example pass x[None]" if space.fits(values.shape) else ""
        fix = f"The first dimension is the batch{one}."
        if space.shape == (1,) and values.ndim == 1:
            fix = "For a column of one feature pass x[:, None]."
        expected = space.described().rpartition(") ")[0]
        raise ValueError(f"`{what}` must have shape {expected}), got {values.shape}. {fix}")
    kind, span = _kind(values.dtype), f"integers {space.lowest} ... {space.highest}"
    if space.values:
        if kind != "integer":
            raise TypeError(
                f"`{what}` must hold {span} (the model takes them as they are), got dtype {values.dtype.name}. Pass "
                f"the native {'samples' if space.lowest else 'pixel values'}, e.g. {space.dtype}, without scaling them."
            )
        low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
        if low < space.lowest or high > space.highest:
            stored = 16 if space.lowest else 8
            fix = f" For a model of fewer bits shift {stored}-bit data: x >> ({stored} - bits)."
            fix = fix if space.values == 2**space.depth else ""  # else categories
            raise ValueError(f"`{what}` must hold {span}, got values from {low} to {high}.{fix}")
        return _cast(x, values, space.dtype)
    if kind != "floating":
        raise TypeError(
            f"`{what}` must hold floating-point numbers, got dtype {values.dtype.name}. Cast it, as by "
            f"np.asarray({what.split()[-1]}, {space.dtype!r})."
        )
    x = _cast(x, values, space.dtype)
    if finite:
        _require_finite(np.asarray(x), values, what, squares)
    if space.on_sphere:
        _require_on_sphere(np.asarray(x), what)
    return x


def check_condition(value, condition: Condition, rows: int, *, shared: bool = False, what: str = ONE) -> Any:
    """Returns a condition as tensors (one, a dict, or None), or raises naming what was expected and what was given.

    Args:
      value: (rows, *shape) of the only Space, a dict of such by name, or None, as `condition` says.
      condition: of the model.
      rows: of the data.
      shared: whether one value, without the first axis or with a single row, may stand for all rows.
      what: its name in messages.
    """
    if not condition:
        if value is not None and (isinstance(value, Mapping) or np.shape(value)[-1:] != (0,)):  # (rows, 0) is none, too
            raise ValueError(f"This flow takes no `{what}`, got one. Build it with `classes` or `condition_features`.")
        return None
    return condition.whole(
        {
            name: _check_one(part, condition.spaces[name], rows, shared, condition.called(name, what))
            for name, part in condition.parted(value, what).items()
        }
    )


def _check_one(value, space, rows, shared, what):
    one = f", or {space.described(1) if space.shape else 'one of them'} for all" if shared else ""
    one = one.replace(" numbers", "")
    expected = f"{space.described(rows)}{one}"
    if value is None:
        raise ValueError(f"`{what}` must be {expected}, got None.")
    require_unmasked(value, what)
    values = np.asarray(value)
    shape, kind = values.shape, _kind(values.dtype)
    few = shared and (shape[:1] == (1,) or (shape == () and not space.shape))
    fits = (shape[:1] == (rows,) or few) and space.fits(shape[1:])
    if not fits or kind == "other" or (space.values and kind != "integer"):
        fix = ""
        if space.values and not space.shape and kind != "other" and len(shape) == 2:
            fix = f" Pass the labels alone, as by {'y[:, 0]' if shape[1] == 1 else 'y.argmax(axis=1)'}."
        raise ValueError(f"`{what}` must be {expected}, got dtype {values.dtype.name} and shape {shape}.{fix}")
    if space.values and values.size and (values.min() < 0 or values.max() >= space.values):
        bad = (values < 0) | (values >= space.values)
        first = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1) if bad.ndim else bad)[0]
        kinds = "labels" if not space.shape else "integers"
        got = f"{kinds} from {values.min()} to {values.max()}, the first wrong one in row {first}"
        raise ValueError(f"`{what}` must be {expected}, got {got}.")
    value = _cast(value, values, space.dtype)
    if not space.values:
        _require_finite(np.asarray(value), values, what)
    return tf.broadcast_to(value, [rows, *shape[1:]]) if shared else tf.convert_to_tensor(value)


def require_unmasked(value: Any, what: str) -> None:
    """Refuses masked entries of NumPy arrays: the values behind the mask would be used."""
    masked = np.ma.count_masked(value) if isinstance(value, np.ma.MaskedArray) else 0
    if masked:
        raise ValueError(
            f"`{what}` must have no masked entries, got {masked}. Remove these rows, or fill them, as by "
            f"{what.split()[-1]}.filled(0)."
        )


def check_weights(weights, rows: int, what: str = "sample_weight") -> np.ndarray:
    """Returns one finite number >= 0 for each row, (rows,) float32, or raises; (rows, 1) is accepted, too."""
    require_unmasked(weights, what)
    values = np.asarray(weights)
    if values.shape not in ((rows,), (rows, 1)) or _kind(values.dtype) == "other":
        raise ValueError(
            f"`{what}` must be ({rows},) numbers, one for each row of x, got dtype {values.dtype.name} and shape "
            f"{values.shape}."
        )
    with np.errstate(over="ignore"):
        values = values.reshape(rows).astype("float32")
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(bad):
        raise ValueError(
            f"`{what}` must be finite and >= 0, got {values[bad[0]]} in row {bad[0]} (wrong in "
            f"{len(bad)} of {rows} rows)."
        )
    return values


def check_class_weight(weights, classes: int) -> None:
    """Refuses class weights unless they are a dict with one finite number >= 0 for each label."""
    given = weights if isinstance(weights, Mapping) else {}
    fits = all(isinstance(value, numbers.Real) and 0 <= value < math.inf for value in given.values())
    if not fits or set(given) != set(range(classes)):
        raise ValueError(
            f"`class_weight` must be a dict with a finite number >= 0 for each label 0 ... {classes - 1}, got "
            f"{reprlib.repr(weights)}."
        )


def require_split(share, rows: int | None) -> None:
    """Refuses a share of rows for validation that leaves none to train on, or none to validate on.

    Args:
      share: the fraction of the rows, the last ones; 0 or None for no validation.
      rows: how many there are; None if they are not split.
    """
    if share is None:
        return
    if not isinstance(share, numbers.Real) or isinstance(share, bool) or not 0.0 <= share < 1.0:
        raise ValueError(f"`validation_split` must be a number >= 0 and < 1, got {share!r}.")
    first = None if rows is None else math.floor(rows * (1.0 - share))
    if share and first in (0, rows):
        raise ValueError(
            f"`validation_split` must leave rows to train on and rows to validate on, got {share!r} of {rows} rows, "
            f"which leaves {first} and {rows - first}. Pass `validation_data`, or more rows."
        )


def check_seeds(seed, rows: int) -> tf.Tensor:
    """Returns (rows, 2) int32 seeds from None, an int, or seeds; None draws from TensorFlow's global generator."""
    found = check_seed_of_rows(seed, rows)
    return random.row_seeds(found, rows) if isinstance(found, int) else found


def check_seed_of_rows(seed, rows: int) -> int | tf.Tensor:
    """As `check_seeds`, but an int, or one drawn for None, stays an int."""
    if seed is None:
        seed = int(tf.random.uniform((), maxval=2**62, dtype=tf.int64))
    if isinstance(seed, (int, np.integer)):
        return check_seed(seed, "seed", 64)
    symbolic = tf.is_tensor(seed) and not hasattr(seed, "numpy")  # whose numbers only its graph knows
    require_unmasked(seed, "seed")
    values = seed if symbolic else np.asarray(seed)
    shape, span = tuple(values.shape), np.iinfo(np.int32)
    wide = symbolic and not np.can_cast(values.dtype.as_numpy_dtype, np.int32)
    if _kind(values.dtype) != "integer" or wide or shape != (rows, 2):
        raise ValueError(
            f"`seed` must be an int or ({rows}, 2) int32, one stream per row, got dtype {values.dtype.name} and shape "
            f"{shape}."
        )
    if not symbolic and values.size and (values.min() < span.min or values.max() > span.max):
        raise ValueError(
            f"`seed` must hold integers from {span.min} to {span.max}, as wider ones would be truncated, "
            f"got {values.min()} to {values.max()}. Draw them as int32."
        )
    return tf.cast(seed if symbolic else values, tf.int32)


def check_temperature(temperature, rows: int) -> np.ndarray:
    """Returns (rows,) float32 temperatures from a number or one number per row."""
    try:
        with np.errstate(over="ignore"):
            values = np.asarray(temperature, np.float32)
    except (TypeError, ValueError):  # texts, ragged lists
        values = np.float32(np.nan)
    if values.shape not in ((), (rows,)) or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(
            f"`temperature` must be one finite number >= 0 or ({rows},) of them, got {temperature!r}. "
            "1.0 samples from the model, lower values give more typical samples."
        )
    return np.broadcast_to(values, [rows])


def check_keras_defaults(dtype: str, policies: Iterable[str]) -> None:
    """Refuses global settings of Keras that a flow would silently ignore, as its dtypes are given explicitly.

    Args:
      dtype: in which the flow computes.
      policies: names of the dtype policies of its layers, read only if need be.

    Raises:
      ValueError: floatx is not the flow's dtype, or no layer has the global policy.
    """
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy().name
    known = ("float32", dtype)
    mixed = policy.startswith("mixed_") and policy in policies  # float64 may be that of `Standardize` alone
    if floatx not in known or (policy not in known and not mixed):
        raise ValueError(
            f"Keras' global floatx is {floatx!r} and its dtype policy {policy!r}, but this flow computes in {dtype!r} "
            "and does not follow them. Set both back to 'float32', by keras.config.set_floatx and "
            "keras.config.set_dtype_policy, and give the flow `dtype='float64'`, or "
            "`conditioner_dtype='mixed_bfloat16'` if its family has that option."
        )


def _kind(dtype: np.dtype) -> str:
    """ "integer", "floating" or "other"; TensorFlow knows bfloat16, too."""
    try:
        known = tf.as_dtype(dtype)
    except TypeError:  # such as times
        return "other"
    return "integer" if known.is_integer else "floating" if known.is_floating else "other"


def _cast(value: Any, values: np.ndarray, dtype: str) -> np.ndarray | tf.Tensor:
    if tf.is_tensor(value):
        return tf.cast(value, dtype)
    with np.errstate(over="ignore"):
        return values.astype(dtype, copy=False)


def _require_on_sphere(cast, what):
    norms = np.linalg.norm(cast, axis=-1)
    found = np.flatnonzero(np.abs(norms - 1.0) > OFF_SPHERE)
    if len(found):
        raise ValueError(
            f"`{what}` must lie on the unit sphere, got a norm of {norms[found[0]]:.6g} in row {found[0]} (wrong in "
            f"{len(found)} of {len(cast)} rows). Divide each row by its norm."
        )


def _rows_with(rows, fault):
    """Which rows have a fault, (n,) bool: in blocks, so that a large array is not followed by others of its size."""
    size = max(1, BLOCK // rows.shape[1])
    return np.concatenate([fault(rows[i : i + size]).any(axis=1) for i in range(0, len(rows), size)])


def _require_finite(cast, given, what, squares=False):
    if not cast.size:
        return
    rows = cast.reshape(len(cast), -1)
    bad = _rows_with(rows, lambda some: ~np.isfinite(some))
    why, fix = "be finite, got NaN or infinity", "Remove or repair these rows."
    if not bad.any() and squares:
        limit = np.sqrt(np.finfo(cast.dtype).max / rows.shape[1])
        bad = _rows_with(rows, lambda some: np.abs(some) > limit)
        why = f"be at most {limit:.2g} in absolute value, got more"
        fix = "Squares of larger numbers overflow: give it in another unit."
    elif bad.any() and np.isfinite(given).all():
        why, fix = f"be within the range of {cast.dtype.name}, got more", "Give it in another unit."
    found = np.flatnonzero(bad)
    if len(found):
        raise ValueError(f"`{what}` must {why} in {len(found)} of {len(cast)} rows, first in row {found[0]}. {fix}")
