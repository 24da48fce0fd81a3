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
    """

    def __init__(self, method: Callable):
        def of_ranks(instance, ranks, arguments):  # in one tuple: calls may leave out the last ones
            return method(instance, *arguments)

        self._compiled = tf.function(of_ranks, reduce_retracing=True, autograph=False)
        self._known = weakref.WeakKeyDictionary()  # by instance, graphs by what they are called with

    def __get__(self, instance: Any, owner: type | None = None) -> Callable:
        compiled = self._compiled.__get__(instance, owner)
        return lambda *arguments: self._found(instance, compiled, arguments)(_ranks(arguments), arguments)

    def _found(self, instance, compiled, arguments):
        """What to call: the graph itself if it is known, and `tf.function` has nothing else to heed."""
        if not tf.executing_eagerly() or tf.config.functions_run_eagerly() or tf.distribute.has_strategy():
            return compiled
        known = self._known.setdefault(instance, {})
        key = tuple((value.shape, value.dtype) if tf.is_tensor(value) else value for value in _flat(arguments))
        if key not in known and len(known) < KNOWN:
            known[key] = compiled.get_concrete_function(_ranks(arguments), arguments)
        return known.get(key, compiled)


def _flat(arguments):
    return tf.nest.flatten(arguments)


def _ranks(arguments):
    return tuple(value.shape.rank for value in _flat(arguments) if tf.is_tensor(value))
