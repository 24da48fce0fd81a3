"""Steps of a chain that differ only in the values of their weights share one traced function.

A deep flow repeats a few kinds of step. Traced, differentiated and optimised once per kind instead of once per step,
a Glow with 96 couplings finishes its first training step in 60% of the time, and `glow-celeba64` its first sample in
54%; later calls take as long as before.

When samples are drawn, steps that XLA makes faster (`Transform.samples_by_xla`) are compiled, once per kind and per
power of two of the number of rows, to which a batch is filled up.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core.context import Context
from flowzoo.core.graphs import by_xla, filled_up
from flowzoo.core.transform import Transform, decode_in_turn, encode_in_turn

LAYERS = (keras.layers.Dense, keras.layers.Conv2D)  # of Keras, whose attributes fully determine what they compute
VALUES = (type(None), bool, int, float, str, bytes)
LARGE = 512  # entries of an event from which on steps are not inlined: for smaller ones, calls cost a tenth of the time
SIZES = [2**i for i in range(31)]  # rows of what is compiled


def parts(numbered: Sequence[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """The parts of a chain with their places, where steps that occur more than once became one `Step` each."""
    steps = _steps(numbered)
    kinds = [kind([transform for _, transform in step]) for step in steps]
    times, made, found = Counter(key for key, _ in kinds), {}, []
    for step, (key, weights) in zip(steps, kinds, strict=True):
        transforms = [transform for _, transform in step]
        if _alone(transforms[0]) or (times[key] == 1 and not _compiles(transforms)):
            found += step
            continue
        if key not in made:
            made[key] = _Traced(transforms, weights)
        found.append((step[0][0], Step(made[key], weights)))
    return found


class Step:
    """Consecutive transforms of a chain that are called as a function, traced for all steps of their kind.

    Args:
      traced: of the values of the weights, a value and a condition, each way.
      weights: those of this step.
    """

    def __init__(self, traced: _Traced, weights: Sequence[keras.Variable]):
        self.traced, self.weights = traced, weights

    def encode(self, x: tf.Tensor, condition: tf.Tensor | None, context: Context) -> tuple[tf.Tensor, tf.Tensor]:
        """As `Transform.encode`."""
        return self.traced.encode(self._values(), x, condition)

    def decode(self, z: tf.Tensor, condition: tf.Tensor | None, context: Context) -> tuple[tf.Tensor, tf.Tensor]:
        """As `Transform.decode`."""
        if context.log_det:
            return self.traced.decode(self._values(), z, condition)
        return self.traced.decode_only(self._values(), z, condition), tf.zeros(tf.shape(z)[:1], z.dtype)

    def _values(self):
        return [tf.convert_to_tensor(weight.value) for weight in self.weights]


def kind(value: Any) -> tuple[Hashable, list[keras.Variable]]:
    """What an object computes, apart from the values of its weights, and these weights.

    Two objects of equal kinds compute the same if one has the weights of the other. Attributes are known to show this
    for flowzoo's own classes only, so each object of another class is a kind of its own.
    """
    weights: list[keras.Variable] = []
    return _kind(value, weights), weights


def _kind(value, weights):
    if isinstance(value, keras.Variable):
        place = next((i for i, weight in enumerate(weights) if weight is value), len(weights))
        if place == len(weights):
            weights.append(value)
        return "weight", place, tuple(value.shape), value.dtype
    if isinstance(value, keras.initializers.Initializer):
        return "initializer"  # its work is done
    if type(value) in VALUES:
        return type(value), value
    if isinstance(value, np.generic) or type(value) is np.ndarray:
        return "array", value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, list | tuple):
        return ("list", *[_kind(entry, weights) for entry in value])
    if isinstance(value, set | frozenset):
        return "set", frozenset(_kind(entry, weights) for entry in value)
    if isinstance(value, dict):
        return ("dict", *[(name, _kind(entry, weights)) for name, entry in value.items()])
    if type(value) in LAYERS or _is_own(value):
        ours = {name: entry for name, entry in vars(value).items() if not _is_of_keras(name)}
        dtype = value.dtype_policy.name if isinstance(value, keras.layers.Layer) else None
        return type(value), dtype, _kind(ours, weights)
    return "another", id(value)


def _is_own(value):
    """Whether it is an object of one of flowzoo's classes."""
    return type(value).__module__.partition(".")[0] == __name__.partition(".")[0]


def _is_of_keras(attribute):
    return attribute in _bookkeeping() or attribute.startswith("_self_")


@functools.cache
def _bookkeeping():
    """The attributes of any layer of Keras."""
    return {*vars(keras.layers.Layer()), "built", "_build_shapes_dict"}


def _steps(numbered):
    """The parts of a chain, cut behind each with a network, around each that stands alone, and where dtypes change."""
    steps, before = [], None
    for place, part in numbered:
        if before is None or _ends(before) or _alone(part) or part.compute_dtype != before.compute_dtype:
            steps.append([])
        steps[-1].append((place, part))
        before = part
    return steps


def _ends(part):
    return _alone(part) or bool(part._flatten_layers(include_self=False))


def _alone(part):
    """Whether a part of a chain shares nothing: its context may not enter a function, or it is a run of `backprop`."""
    return not isinstance(part, Transform) or part.takes_context


def _compiles(transforms):
    """Whether sampling compiles a step: one of its transforms says so, and maps vectors."""
    return any(each.samples_by_xla and len(each.event_shape) == 1 for each in transforms)


class _Traced:
    """The functions of one kind of step."""

    def __init__(self, transforms, weights):
        def encode(x, condition):
            return encode_in_turn(enumerate(transforms), x, condition, lambda _: None)

        def decode(z, condition):
            return decode_in_turn(list(enumerate(transforms)), z, condition, lambda _: None)

        def of_values(function):
            def called(values, value, condition):
                with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True))):
                    return function(value, condition)

            return called

        def traced(function):
            return tf.function(of_values(function), autograph=False, experimental_attributes=attributes)

        def compiled(function):
            return _in_sizes(_compiled(of_values(function), len(weights)))

        large = math.prod(transforms[0].event_shape) >= LARGE
        attributes = {"_noinline": True} if large else None
        sampling = compiled if _compiles(transforms) else traced
        self.encode, self.decode = traced(encode), traced(decode)
        self.decode_only = sampling(lambda z, condition: decode(z, condition)[0])


def _compiled(function, count):
    """`function` of `count` values, rows and a condition or None, compiled, with gradients.

    They are compiled apart, and compute it once more: what a loop keeps for them can't leave a compiled function.
    """

    def of_tensors(rows, *others):
        return function(others[:count], rows, *(others[count:] or (None,)))

    @by_xla
    def backward(upstream, *tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            found = of_tensors(*tensors)
        return tape.gradient(found, tensors, upstream, tf.UnconnectedGradients.ZERO)

    forward = by_xla(of_tensors)

    @tf.custom_gradient
    def both_ways(*tensors):
        return forward(*tensors), lambda upstream: backward(upstream, *tensors)

    return lambda values, rows, condition: both_ways(rows, *values, *([] if condition is None else [condition]))


def _in_sizes(compiled):
    """A function of rows that is only called with as many as a power of two: XLA compiles it anew for each number."""

    def called(values, rows, condition):
        if rows.shape[0] in SIZES:
            return compiled(values, rows, condition)
        count, sizes = tf.shape(rows)[0], tf.constant(SIZES)
        missing = tf.gather(sizes, tf.searchsorted(sizes, count[None])[0]) - count
        return compiled(values, *filled_up((rows, condition), missing))[:count]

    return called
