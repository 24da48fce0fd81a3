"""Methods compiled for arguments of changing shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


class Graph:
    """A method as a graph: one for each combination of the ranks of its tensors, whatever their sizes.

    `tf.function(reduce_retracing=True)` alone would relax ranks too once they differ, as when a condition is a vector
    in one call and has values per pixel in the next; with a tensor of unknown rank, little can be computed.

    Args:
      method: of any class; its arguments are tensors, dicts of them, and Python values.
    """

    def __init__(self, method: Callable):
        def of_ranks(instance, ranks, arguments):  # in one tuple: calls may leave out the last ones
            return method(instance, *arguments)

        self._compiled = tf.function(of_ranks, reduce_retracing=True, autograph=False)

    def __get__(self, instance: Any, owner: type | None = None) -> Callable:
        compiled = self._compiled.__get__(instance, owner)
        return lambda *arguments: compiled(_ranks(arguments), arguments)


def _ranks(arguments):
    return tuple(value.shape.rank for value in tf.nest.flatten(arguments) if tf.is_tensor(value))
