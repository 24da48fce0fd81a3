"""A multilayer perceptron for vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras

from flowzoo.conditioners.conditioner import Conditioner, seed_source


class MLP(Conditioner):
    """Dense layers with an activation between them and a zero-initialised last one.

    Args:
      features: size of the input vector.
      outputs: size of the output vector.
      hidden: widths of the hidden layers.
      condition_features: size of the condition vector; 0 for none.
      activation: a Keras activation.
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
        self.head = self._made(
            keras.layers.Dense(outputs, kernel_initializer="zeros", dtype=self.dtype_policy), (width,)
        )

    def _parameters(self, h):
        for layer in self.layers:
            h = layer(h)
        return self.head(h)
