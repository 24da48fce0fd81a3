"""Bijectors of vectors that have a few parameters of their own instead of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core.transform import Bijector

LEAST_SLOPE = 0.01  # of every map bounded by `above_minus_one`, so that its inverse stretches at most 100 times


class Parametric(Bijector):
    """The common part: weights of its own, to which a conditioner may add what it computes from the condition.

    A subclass names its weights and their first values in `initial`.

    Args:
      event_shape: (features,).
      conditioner: Keras layer (nothing, condition) -> `parameter_count(features)` numbers, in the order of `initial`,
        where nothing is (batch, 0); it starts at zero. None for the same parameters in all rows.
      seed: seed of the initial weights.
      form: options of `initial`, if it has any.

    Raises:
      ValueError: the events are not vectors, or the conditioner was built for another shape.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        conditioner: keras.layers.Layer | None = None,
        *,
        seed: int = 0,
        form: Mapping[str, int] | None = None,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        kind, form = type(self).__name__, form or {}
        if len(self.event_shape) != 1:
            raise ValueError(f"{kind} needs a vector, got event_shape {self.event_shape}. Put a Flatten before it.")
        features = self.event_shape[0]
        expected = {"input_event_shape": (0,), "output_event_shape": (self.parameter_count(features, **form),)}
        for side, shape in expected.items() if conditioner is not None else ():
            found = getattr(conditioner, side, shape)  # a user's layer need not state it
            if tuple(found) != shape:
                raise ValueError(f"{kind}: `conditioner` must have {side} {shape}, got {tuple(found)}.")
        initial = self.initial(features, np.random.default_rng(seed), **form)
        self.sizes = [len(value) for value in initial.values()]
        self.own = [self._weight(value, name) for name, value in initial.items()]
        self.conditioner = conditioner

    @staticmethod
    def initial(features: int, numbers: np.random.Generator, **form: int) -> dict[str, np.ndarray]:
        """The name and first value, a vector, of each weight."""
        raise NotImplementedError("A subclass must name its weights in `initial`.")

    @classmethod
    def parameter_count(cls, features: int, **form: int) -> int:
        """How many numbers a conditioner must give."""
        return sum(len(value) for value in cls.initial(features, np.random.default_rng(0), **form).values())

    def _parameters(self, x, condition):
        """One tensor per parameter, (batch or 1, size)."""
        own = [tf.convert_to_tensor(weight)[None] for weight in self.own]
        if self.conditioner is None:
            return own
        added = tf.cast(self.conditioner(x[:, :0], condition), self.compute_dtype)
        return [weight + part for weight, part in zip(own, tf.split(added, self.sizes, axis=-1), strict=True)]


def above_minus_one(a: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """m(a) > -1 + LEAST_SLOPE, smooth, with m(a) = a for a >= 0; and m(a) - a, each without cancellation."""
    floor, below = 1.0 - LEAST_SLOPE, tf.nn.relu(-a)
    return a / (1.0 + below / floor), tf.square(below) / (floor + below)


def tanh_slope(t: tf.Tensor) -> tf.Tensor:
    """The derivative of tanh, with all digits also where tanh is near 1 or -1."""
    small = tf.exp(-2.0 * tf.abs(t))  # 1 - tanh(t)^2 would lose them
    return 4.0 * small / tf.square(1.0 + small)
