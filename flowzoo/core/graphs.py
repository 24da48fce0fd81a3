"""Methods compiled for arguments of changing shapes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf

KNOWN = 128  # combinations of sizes for which the graph is remembered; `tf.function` finds the others


class Graph:
    """A method as a graph: one for each combination of the ranks of its tensors, whatever their sizes.

    `tf.function(reduce_retracing=True)` alone would relax ranks too once they differ, as when a condition is a vector
    in one call and has values per pixel in the next; with a tensor of unknown rank, little can be computed.

    For arguments of sizes seen before, the graph is called directly: of the 1.2 ms of a small flow's single sample,
    `tf.function` took 0.4 to find it.

    Args:
      method: of any class; its arguments are tensors, dicts of them, and Python values.
      any_rows: whether one graph serves all numbers of rows from the first call on; else it would be traced for that
        number alone, and for all numbers when a second one comes.
    """

    def __init__(self, method: Callable, any_rows: bool = False):
        def of_ranks(instance, ranks, arguments):  # in one tuple: calls may leave out the last ones
            return method(instance, *arguments)

        self._compiled = tf.function(of_ranks, reduce_retracing=True, autograph=False)
        self._any_rows = any_rows
        self._known = weakref.WeakKeyDictionary()  # by instance, graphs by what they are called with

    def __get__(self, instance: Any, owner: type | None = None) -> Callable:
        compiled = self._compiled.__get__(instance, owner)
        return lambda *arguments: self._found(instance, compiled, arguments)(_ranks(arguments), arguments)

    def _found(self, instance, compiled, arguments):
        """What to call: the graph itself if it is known, and `tf.function` has nothing else to heed."""
        if not tf.executing_eagerly() or tf.config.functions_run_eagerly() or tf.distribute.has_strategy():
            return compiled
        specs = tf.nest.map_structure(self._spec, arguments)
        known, key = self._known.setdefault(instance, {}), tuple(tf.nest.flatten(specs))
        if key not in known and len(known) < KNOWN:
            known[key] = compiled.get_concrete_function(_ranks(arguments), specs)
        return known.get(key, compiled)

    def _spec(self, value):
        """What is known of an argument: of a tensor its shape, maybe without the number of rows, and dtype."""
        if not tf.is_tensor(value):
            return value
        shape = [None, *value.shape[1:]] if self._any_rows and value.shape.rank else value.shape
        return tf.TensorSpec(shape, value.dtype)


def _ranks(arguments):
    return tuple(value.shape.rank for value in tf.nest.flatten(arguments) if tf.is_tensor(value))
