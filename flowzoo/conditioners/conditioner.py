"""What all conditioners share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from flowzoo.conditioners.condition import join
from flowzoo.core.checks import check_seed
from flowzoo.core.limits import Counted, count


class Conditioner(Counted):
    """A Keras layer (h, condition) -> parameters whose last layer starts at zero, built by its constructor.

    Args:
      input_event_shape: shape of one h.
      output_event_shape: shape of one output.
      condition_features: size of the last axis of the condition; 0 for none.
      dtype: Keras dtype policy; "mixed_bfloat16" computes in bfloat16 with float32 weights.
    """

    takes_axes: tuple[int, ...] = (1,)  # how many a condition of one example may have

    def __init__(
        self,
        input_event_shape: Sequence[int],
        output_event_shape: Sequence[int],
        condition_features: int = 0,
        *,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.input_event_shape = tuple(input_event_shape)
        self.output_event_shape = tuple(output_event_shape)
        self.condition_features = int(condition_features)
        self.joined_shape = (*self.input_event_shape[:-1], self.input_event_shape[-1] + self.condition_features)
        self.built = True  # by the constructors of the subclasses

    @property
    def condition_axes(self) -> tuple[int, ...]:
        """How many axes the condition of one example may have; () without a condition."""
        return self.takes_axes if self.condition_features else ()

    def call(self, h: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        parameters = self._parameters(*self._inputs(h, condition))
        return parameters if condition is None else nan_where_not_finite(parameters, condition)

    def _inputs(self, h, condition):
        """What `_parameters` takes; raises on a condition that does not fit."""
        return (join(h, condition, self.condition_features),)

    def _made(self, layer, input_event_shape):
        """Builds `layer` now: a net that is built on first call comes back untrained from a `.keras` file."""
        for weight in _shapes(layer, input_event_shape[-1]):
            count(weight)
        layer.build((None, *input_event_shape))
        return layer


def _shapes(layer: keras.layers.Layer, width: int) -> list[tuple[int, ...]]:
    """The shapes of the weights that a Keras layer will have; flowzoo's own layers count theirs themselves."""
    if isinstance(layer, Counted):
        return []
    units = layer.filters if isinstance(layer, keras.layers.Conv2D) else layer.units
    return [(*getattr(layer, "kernel_size", ()), width, units), *([(units,)] if layer.use_bias else [])]


def nan_where_not_finite(parameters: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
    """The parameters, NaN in rows whose condition is not finite.

    A relu that TensorFlow fuses in a graph swallows NaN, and a bad condition would go unnoticed.
    """
    finite = tf.math.is_finite(tf.cast(condition, parameters.dtype))
    finite = tf.reduce_all(tf.reshape(finite, [tf.shape(finite)[0], -1]), axis=1)
    finite = tf.reshape(finite, [-1] + [1] * (parameters.shape.rank - 1))
    return tf.where(finite, parameters, tf.constant(math.nan, parameters.dtype))


def seed_source(seed: int) -> Callable[[], int]:
    """A function that gives a new seed at each call, the same ones for the same `seed`, 0 ... 2^30 - 1."""
    seed = check_seed(seed, "seed", 30)
    generator = iter(range(1_000_000))
    return lambda: seed * 1_000_003 % 2**30 + next(generator)
