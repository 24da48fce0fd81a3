"""A multilayer perceptron for vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from flowzoo.conditioners.conditioner import Conditioner, seed_source


class MLP(Conditioner):
    """Dense layers with an activation between them and a zero-initialised last one.

    Args:
      features: size of the input vector.
      outputs: size of the output vector.
      hidden: widths of the hidden layers.
      condition_features: size of the condition vector; 0 for none.
      activation: a Keras activation.
      random_outputs: how many of the last outputs start at random instead of at zero: features for other networks.
      seed: seed of the initial weights.
      dtype: Keras dtype policy.
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        hidden: Sequence[int] = (64, 64),
        condition_features: int = 0,
        *,
        activation: str | Callable = "relu",
        random_outputs: int = 0,
        seed: int = 0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__((features,), (outputs,), condition_features, dtype=dtype, name=name)
        new_seed = seed_source(seed)
        self.layers = []
        width = self.joined_shape[-1]
        for units in hidden:
            initializer = keras.initializers.HeNormal(seed=new_seed())
            dense = keras.layers.Dense(
                units, activation=activation, kernel_initializer=initializer, dtype=self.dtype_policy
            )
            self.layers.append(self._made(dense, (width,)))
            width = units
        last = _Last(outputs - random_outputs, keras.initializers.LecunNormal(seed=new_seed()))
        self.head = self._made(keras.layers.Dense(outputs, kernel_initializer=last, dtype=self.dtype_policy), (width,))

    def _parameters(self, h):
        for layer in self.layers:
            h = layer(h)
        return self.head(h)


class _Last(keras.initializers.Initializer):
    """Zero for the first outputs, and another initializer for the others."""

    def __init__(self, zeros: int, others: keras.initializers.Initializer):
        self.zeros, self.others = zeros, others

    def __call__(self, shape, dtype=None):
        features, outputs = shape
        first = tf.zeros([features, self.zeros], dtype)
        return (
            first
            if self.zeros == outputs
            else tf.concat([first, self.others((features, outputs - self.zeros), dtype)], 1)
        )
