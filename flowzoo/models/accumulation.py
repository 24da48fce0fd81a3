"""Gradients of a batch from micro-batches, one after the other, so that only one of them takes memory at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

UNEVEN = "`accumulate` = {} must divide the rows of each batch (of each replica). Batch with drop_remainder."


def in_parts(
    function: Callable,
    batch: Sequence[tf.Tensor | dict[str, tf.Tensor] | None],
    parts: int,
    weights: Sequence,
    dtype: str,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """What `function(*batch)` gives, computed for `parts` equal parts of the rows in a sequential loop.

    Args:
      function: (*batch) -> (log_prob, loss, gradients): (rows,), a scalar that is a mean over rows, and its gradient
        for each of `weights`.
      batch: tensors with the same number of rows, dicts of such, or None.
      parts: how many; 1 calls `function` as it is.
      weights: give the shapes and types of the gradients.
      dtype: of log_prob and loss.

    Raises:
      ValueError, tf.errors.InvalidArgumentError: the rows can't be divided into equal parts.
    """
    if parts == 1:
        return function(*batch)
    rows = batch[0].shape[0] or tf.shape(batch[0])[0]
    message = UNEVEN.format(parts)
    if isinstance(rows, int) and rows % parts:
        raise ValueError(f"{message} Got a batch of {rows}.")
    tf.debugging.assert_equal(rows % parts, 0, message)
    size = rows // parts

    def one(i, log_probs, loss, gradients):
        log_prob, of_part, of_weights = function(*rows_of(tuple(batch), i, size))
        gradients = [tf.convert_to_tensor(new) / parts + old for old, new in zip(gradients, of_weights, strict=True)]
        return i + 1, log_probs.write(i, log_prob), loss + of_part / parts, gradients

    zeros = [tf.zeros(weight.shape, weight.dtype) for weight in weights]
    log_probs = tf.TensorArray(dtype, parts, element_shape=[size if isinstance(size, int) else None])
    start = (tf.constant(0), log_probs, tf.constant(0.0, dtype), zeros)
    _, log_probs, loss, gradients = tf.while_loop(lambda i, *_: i < parts, one, start, parallel_iterations=1)
    return tf.reshape(log_probs.stack(), [rows]), loss, gradients


def rows_of(batch: Any, i: tf.Tensor, size: int | tf.Tensor) -> Any:
    """The i-th `size` rows of each tensor in a nested structure; None stays None."""

    def of(whole):
        if whole is None:
            return None
        rows = whole[i * size : (i + 1) * size]
        rows.set_shape([size if isinstance(size, int) else None, *whole.shape[1:]])
        return rows

    return tf.nest.map_structure(of, batch)


def uneven(message: str) -> str | None:
    """The message of `in_parts` within TensorFlow's `message`, if it was what stopped a step."""
    found = re.search(re.escape(UNEVEN).replace(r"\{\}", r"\d+"), message)
    return found and found[0]
