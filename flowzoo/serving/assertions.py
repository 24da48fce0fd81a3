"""Checks inside a graph: a bad request ends in INVALID_ARGUMENT, which says what was expected and what was sent."""

from __future__ import annotations

import tensorflow as tf

from flowzoo.core.space import OFF_SPHERE

LARGEST = 2**24  # numbers of one request: a limit to what a server computes for one caller


def require(value: tf.Tensor, holds: tf.Tensor, expected: str, got: str, *numbers: tf.Tensor) -> tf.Tensor:
    """The value, once `holds`; else the request fails with "expected ..., got ...", the numbers in place of {}."""
    message = tf.strings.format(f"expected {expected}, got {got}", numbers)
    check = tf.raw_ops.Assert(condition=holds, data=[message])  # tf.debugging's traces two branches for each
    with tf.control_dependencies([check]):
        return tf.identity(value)


def check_rows(value: tf.Tensor, name: str, spec: tf.TensorSpec, most: int) -> tf.Tensor:
    """The value, once it has the shape of `spec` at run time, not only by the signature, and at most `most` rows."""
    value = tf.ensure_shape(value, spec.shape)
    rows = tf.shape(value)[0]
    return require(value, rows <= most, f"`{name}` of at most {most} rows in one request", "{}", rows)


def check_finite(value: tf.Tensor, name: str, least: float | None = None) -> tf.Tensor:
    """The value, once all of its numbers are finite, and at least `least`."""
    good = tf.math.is_finite(value) if least is None else tf.math.is_finite(value) & (value >= least)
    numbers = "finite numbers" if least is None else f"finite numbers >= {least:g}"
    return _check_each(value, good, f"`{name}` of {numbers}")


def check_range(value: tf.Tensor, name: str, lowest: int, highest: int) -> tf.Tensor:
    """The value, once all of its integers are lowest ... highest; those of a narrower type always are."""
    if lowest <= value.dtype.min and highest >= value.dtype.max:
        return value
    good = (value >= tf.cast(lowest, value.dtype)) & (value <= tf.cast(highest, value.dtype))
    return _check_each(value, good, f"`{name}` of {lowest} ... {highest}")


def check_on_sphere(value: tf.Tensor, name: str) -> tf.Tensor:
    """The value, once each of its rows is a point of the unit sphere."""
    good = tf.abs(tf.norm(value, axis=-1) - 1.0) <= OFF_SPHERE
    return _check_each(value, good, f"`{name}` of norm 1")


def check_same_rows(value: tf.Tensor, name: str, first: tf.Tensor, first_name: str) -> tf.Tensor:
    """The value, once it has as many rows as the first input."""
    rows, wanted = tf.shape(value)[0], tf.shape(first)[0]
    expected = f"`{name}` with as many rows as `{first_name}`"
    return require(value, tf.equal(rows, wanted), expected, "{} and {}", rows, wanted)


def _check_each(value, good, expected):
    axes = list(range(1, good.shape.rank))
    good_rows = tf.reduce_all(good, axis=axes) if axes else good
    return require(value, tf.reduce_all(good_rows), expected, "something else in rows {}", tf.where(~good_rows)[:, 0])
