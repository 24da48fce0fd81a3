"""Checks of what a caller passes in from Python, before it reaches a graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from flowzoo import random
from flowzoo.checks import check_count
from flowzoo.flows.digits import warn_of_lost_digits


def check_data(x, event_shape: Sequence[int], *, bits: int = 0, dtype: str = "float32", what: str = "x") -> tf.Tensor:
    """Returns x as a tensor, or raises naming what was expected and what came.

    Args:
      x: (batch, *event_shape), an array or tensor.
      event_shape: of one example.
      bits: if positive, x must hold integers 0 ... 2^bits - 1; else finite floating-point numbers.
      dtype: to which floating-point data is cast.

    Raises:
      TypeError: wrong kind of numbers.
      ValueError: wrong shape, a non-finite entry, or an integer out of range.
    """
    x = x if tf.is_tensor(x) else np.asarray(x)
    shape = tuple(x.shape)
    if len(shape) != len(event_shape) + 1 or shape[1:] != tuple(event_shape):
        raise ValueError(
            f"`{what}` must have shape (batch, {', '.join(map(str, event_shape))}), got {shape}. "
            "The first dimension is the batch: for one example pass x[None]."
        )
    kind = tf.as_dtype(x.dtype)
    if bits:
        if not kind.is_integer:
            raise TypeError(
                f"`{what}` must hold integers 0 ... {2**bits - 1} (the model dequantizes them itself), got dtype "
                f"{kind.name}. Pass the native pixel values, e.g. uint8, without scaling them."
            )
        x = tf.convert_to_tensor(x)
        low, high = (int(tf.reduce_min(x)), int(tf.reduce_max(x))) if shape[0] else (0, 0)
        if low < 0 or high >= 2**bits:
            raise ValueError(
                f"`{what}` must hold integers 0 ... {2**bits - 1}, got values from {low} to {high}. "
                "For a model of fewer bits shift 8-bit data: x >> (8 - bits)."
            )
        return x
    if not kind.is_floating:
        raise TypeError(f"`{what}` must hold floating-point numbers, got dtype {kind.name}. Cast it first.")
    warn_of_lost_digits(x, dtype)
    x = tf.cast(x, dtype)
    bad = np.flatnonzero(~np.isfinite(x.numpy().reshape(shape[0], -1)).all(axis=1)) if shape[0] else ()
    if len(bad):
        raise ValueError(
            f"`{what}` must be finite, got NaN or infinity in {len(bad)} of {shape[0]} rows, first in row {bad[0]}. "
            "Remove or repair these rows."
        )
    return x


def check_condition(
    condition, rows: int, *, classes: int = 0, features: int = 0, images: bool = False, dtype: str = "float32"
) -> tf.Tensor | None:
    """Returns the condition as a tensor (or None), or raises naming what was expected and what came.

    Args:
      condition: (rows,) labels with `classes`, (rows, features) numbers with `features`, else None.
      rows: of the data.
      classes, features: as of `Flow`.
      images: numbers may also be (rows, height, width, features).
      dtype: to which numbers are cast.
    """
    if not classes and not features:
        if condition is not None:
            raise ValueError(
                "This flow takes no `condition`, got one. Build it with `classes` or `condition_features`."
            )
        return None
    expected = f"({rows},) integer labels 0 ... {classes - 1}" if classes else f"({rows}, {features}) numbers"
    if condition is None:
        raise ValueError(f"`condition` must be {expected}, got None.")
    condition = condition if tf.is_tensor(condition) else np.asarray(condition)
    shape, kind = tuple(condition.shape), tf.as_dtype(condition.dtype)
    if classes:
        if not kind.is_integer or shape != (rows,):
            raise ValueError(f"`condition` must be {expected}, got dtype {kind.name} and shape {shape}.")
        values = np.asarray(condition)
        if rows and (values.min() < 0 or values.max() >= classes):
            raise ValueError(f"`condition` must be {expected}, got labels from {values.min()} to {values.max()}.")
        return tf.cast(condition, tf.int32)
    fits = len(shape) in ((2, 4) if images else (2,)) and (shape[0], shape[-1]) == (rows, features)
    if not fits or not (kind.is_floating or kind.is_integer):
        raise ValueError(f"`condition` must be {expected}, got dtype {kind.name} and shape {shape}.")
    condition = tf.cast(condition, dtype)
    if not np.isfinite(condition).all():
        raise ValueError("`condition` must be finite, got NaN or infinity.")
    return condition


def check_seeds(seed, rows: int) -> tf.Tensor:
    """Returns (rows, 2) int32 seeds from None, an int, or seeds; None draws from TensorFlow's global generator."""
    if seed is None:
        seed = int(tf.random.uniform((), maxval=2**62, dtype=tf.int64))
    if isinstance(seed, (int, np.integer)):
        return random.row_seeds(check_count(seed, "seed", 0), rows)
    seed = tf.convert_to_tensor(seed)
    if not seed.dtype.is_integer or tuple(seed.shape) != (rows, 2):
        raise ValueError(
            f"`seed` must be an int or ({rows}, 2) int32, one stream per row, got dtype {seed.dtype.name} "
            f"and shape {tuple(seed.shape)}."
        )
    return tf.cast(seed, tf.int32)


def check_temperature(temperature, rows: int) -> tf.Tensor:
    """Returns (rows,) float32 temperatures from a number or one number per row."""
    with np.errstate(over="ignore"):
        values = np.asarray(temperature, np.float32)
    if values.shape not in ((), (rows,)) or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(
            f"`temperature` must be one finite number >= 0 or ({rows},) of them, got {temperature!r}. "
            "1.0 samples from the model, less gives more typical samples."
        )
    return tf.broadcast_to(tf.constant(values), [rows])
