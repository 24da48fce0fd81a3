"""Functions compiled: methods for arguments of changing shapes, and what XLA compiles."""

from __future__ import annotations

import contextvars
import functools
import itertools
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

KNOWN = 128  # combinations of sizes for which the graph is remembered; `tf.function` finds the others

Rows = TypeVar("Rows")

_compiling = contextvars.ContextVar("compiling", default=False)


def by_xla(function: Callable) -> Callable:
    """A function compiled by XLA."""

    @functools.wraps(function)
    def traced(*arguments):
        token = _compiling.set(True)
        try:
            return function(*arguments)
        finally:
            _compiling.reset(token)

    return tf.function(traced, jit_compile=True, autograph=False)


def is_for_xla() -> bool:
    """Whether what is being traced goes to XLA by `by_xla`: there, turns of a loop cost little, large graphs much."""
    return _compiling.get()


def filled_up(values: Rows, missing: tf.Tensor) -> Rows:
    """Tensors of (rows, ...) each, or None for one, with their first row `missing` times more behind the last."""

    def filled(value):
        return None if value is None else tf.concat([value, tf.repeat(value[:1], missing, axis=0)], axis=0)

    return tf.nest.map_structure(filled, values)


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
        known, key = self._known.setdefault(instance, {}), self._sizes(arguments)
        if key not in known and len(known) < KNOWN:
            specs = tf.nest.map_structure(self._spec, arguments)
            known[key] = compiled.get_concrete_function(_ranks(arguments), specs)
        return known.get(key, compiled)

    def _sizes(self, value):
        """What tells arguments of different specs apart; `tf.nest` took a fifth of a small flow's single sample."""
        if isinstance(value, tuple | list):
            return tuple(map(self._sizes, value))
        if isinstance(value, dict):
            return tuple((name, self._sizes(value[name])) for name in sorted(value))
        if not tf.is_tensor(value):
            return value
        return value.dtype, self._shape(value)

    def _spec(self, value):
        """What is known of an argument: of a tensor its shape, maybe without the number of rows, and dtype."""
        return tf.TensorSpec(self._shape(value), value.dtype) if tf.is_tensor(value) else value

    def _shape(self, tensor):
        return (None, *tensor.shape[1:]) if self._any_rows and tensor.shape.rank else (*tensor.shape,)


def _ranks(value):
    """The ranks of all tensors in arguments, in the order of `tf.nest`."""
    if tf.is_tensor(value):
        return (value.shape.rank,)
    values = [value[name] for name in sorted(value)] if isinstance(value, dict) else value
    return tuple(itertools.chain.from_iterable(map(_ranks, values))) if isinstance(values, tuple | list) else ()
