"""MADE: a masked network whose outputs for a feature see only the features before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.conditioners.condition import join
from flowzoo.conditioners.conditioner import Conditioner, seed_source
from flowzoo.core.limits import Counted, require

State = list[tf.Tensor]  # features and condition, then each layer's units after the activation: (units + 1, batch)
Tables = dict[str, Any]


class MADE(Conditioner):
    """Masked dense layers: the outputs for the feature of degree i depend on those of degree < i and the condition.

    Hidden units are sorted by degree, so that features can be computed one by one without a full pass for each: `step`
    pushes the newest feature through just the units that were waiting for it.

    Args:
      features: number of features D.
      outputs_per_entry: outputs for each feature; the output is (batch, outputs_per_entry * D), with the first
        outputs of all features in front, as a `ScalarMap` takes them.
      hidden: widths of the hidden layers; with `residual` all must be equal.
      condition_features: size of the condition vector, which has degree 0; 0 for none.
      order: the features from degree 1 to D, a permutation of 0 ... D - 1; the natural order if not given.
      residual: the hidden layers after the first are pairs with a skip connection around each pair.
      activation: a Keras activation.
      seed: seed of the initial weights.
      dtype: float32 or float64.

    Raises:
      ValueError: another dtype, an `order` that is not a permutation, or wrong widths.

    References: Germain et al. 2015, MADE, arXiv:1502.03509; residual: Nash & Durkan 2019, Autoregressive energy
    machines, arXiv:1904.05626.
    """

    def __init__(
        self,
        features: int,
        outputs_per_entry: int,
        hidden: Sequence[int] = (64, 64),
        condition_features: int = 0,
        *,
        order: Sequence[int] | np.ndarray | None = None,
        residual: bool = False,
        activation: str = "relu",
        seed: int = 0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__((features,), (outputs_per_entry * features,), condition_features, dtype=dtype, name=name)
        if self.compute_dtype not in ("float32", "float64"):
            raise ValueError(
                f"`dtype` of a MADE must be float32 or float64, got {dtype!r}: in a narrower type, feature-by-feature "
                "steps differ from one full pass, and sampling would not undo encode."
            )
        hidden = [int(width) for width in hidden]
        if not hidden or (residual and (len(set(hidden)) > 1 or len(hidden) % 2 == 0)):
            raise ValueError(
                "`hidden` must name at least one layer, with `residual` an odd number of equal ones (the first, then "
                f"two for each block), got {hidden}."
            )
        self.order = np.arange(features) if order is None else np.asarray(order)
        if sorted(self.order.tolist()) != list(range(features)):
            raise ValueError(f"`order` must be a permutation of 0 ... {features - 1}, got {self.order.tolist()}.")
        self.residual, self.outputs_per_entry = bool(residual), int(outputs_per_entry)
        self.activation = keras.activations.get(activation)
        lowest = 0 if condition_features else 1
        highest = max(lowest, features - 1)
        degrees = np.concatenate([np.argsort(self.order) + 1, np.zeros(condition_features, int)])  # of the inputs
        new_seed, self.layers, self._slots = seed_source(seed), [], []
        for width in hidden:
            require((len(degrees), width))  # before there are masks of this size
            units = lowest + np.arange(width) * (highest - lowest + 1) // width  # sorted
            self.layers.append(self._masked(units[None] >= degrees[:, None], new_seed(), (len(degrees),)))
            self._slots.append(_slots(units, features))
            degrees = units
        require((len(degrees), outputs_per_entry * features))
        outputs = np.tile(np.argsort(self.order) + 1, outputs_per_entry)
        self.head = self._masked(outputs[None] > degrees[:, None], None, (len(degrees),))

    def _masked(self, mask, seed, input_shape):
        return self._made(MaskedDense(mask, seed, dtype=self.dtype_policy), input_shape)

    def _parameters(self, h):
        h = self.layers[0](h)
        if not self.residual:
            for layer in self.layers[1:]:
                h = layer(self.activation(h))
            return self.head(self.activation(h))
        for inner, outer in zip(self.layers[1::2], self.layers[2::2], strict=True):
            h = h + outer(self.activation(inner(self.activation(h))))
        return self.head(self.activation(h))

    def start(self, batch: tf.Tensor, condition: tf.Tensor | None = None) -> tuple[Tables, State]:
        """What `step` needs.

        Args:
          batch: number of rows, a scalar.
          condition: as in `call`.

        Returns:
          The weights and biases, laid out by degree, and the state before any feature.
        """
        features, dtype = self.input_event_shape[0], self.compute_dtype
        condition = join(tf.zeros([batch, 0], dtype), condition, self.condition_features)
        first, head = self.layers[0], tf.reshape(self.head.affine(), [-1, self.outputs_per_entry, features])
        by_degree = tf.gather(first.affine(), [*self.order, *range(features, features + self.condition_features + 1)])
        affine = [tf.pad(by_degree, [[1, 0], [0, 0]]), *(layer.affine() for layer in self.layers[1:])]
        tables = {
            "hidden": [tf.gather(tf.transpose(a), slots) for a, slots in zip(affine, self._slots, strict=True)],
            "head": tf.transpose(tf.gather(head, self.order, axis=2), [2, 1, 0]),  # (D, outputs, units + 1)
            "not finite": 0.0 * tf.reduce_sum(condition, axis=1),  # NaN where the condition is: a relu may swallow it
        }
        ones = tf.ones([1, batch], dtype)  # what the biases, last in their tables, are multiplied by
        rows = [tf.concat([tf.zeros([1 + features, batch], dtype), tf.transpose(condition), ones], axis=0)]
        for layer in self.layers:
            rows.append(tf.concat([tf.zeros([layer.mask.shape[1], batch], dtype), ones], axis=0))
        return tables, rows

    def step(self, i: tf.Tensor, value: tf.Tensor, tables: Tables, state: State) -> tuple[tf.Tensor, State]:
        """The outputs for the feature of degree i + 1, given that of degree i.

        Args:
          i: 0 ... D - 1, a scalar; steps come in this order.
          value: (batch,), the feature of degree i; anything finite for i = 0.
          tables: from `start`.
          state: from `start` or the step before.

        Returns:
          (outputs_per_entry * batch,), the first outputs of all rows first, and the new state.
        """
        value = tf.cast(value, self.compute_dtype)[None]
        state, streams = [tf.tensor_scatter_nd_update(state[0], tf.reshape(i, [1, 1]), value), *state[1:]], []
        for layer, slots in enumerate(self._slots):
            new = tf.matmul(tf.gather(tables["hidden"][layer], i), state[layer])
            skip = self.residual and layer and layer % 2 == 0
            streams.append(streams[-2] + new if skip else new)
            places = tf.gather(slots[..., None], i)
            state[layer + 1] = tf.tensor_scatter_nd_update(state[layer + 1], places, self.activation(streams[-1]))
        outputs = tf.matmul(tf.gather(tables["head"], i), state[-1])
        return tf.reshape(outputs + tables["not finite"], [-1]), state


class MaskedDense(Counted):
    """x -> x (mask * kernel) + bias.

    Args:
      mask: (inputs, units) of booleans.
      seed: of the initial kernel; None starts at zero.
      dtype: float32 or float64.
    """

    def __init__(self, mask: np.ndarray, seed: int | None, *, dtype: str = "float32", name: str | None = None):
        super().__init__(dtype=dtype, name=name)
        self.mask = mask
        self.start = keras.initializers.Zeros() if seed is None else keras.initializers.HeNormal(seed=seed)

    def build(self, input_shape: Sequence[int]) -> None:
        self.kernel = self.add_weight(shape=self.mask.shape, initializer=self.start, name="kernel")
        self.bias = self.add_weight(shape=self.mask.shape[1:], initializer="zeros", name="bias")

    def affine(self) -> tf.Tensor:
        """The masked kernel and, as its last row, the bias: (inputs + 1, units)."""
        return tf.concat([self._weight(), tf.cast(self.bias, self.compute_dtype)[None]], axis=0)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.matmul(x, self._weight()), tf.cast(self.bias, self.compute_dtype))

    def _weight(self):
        mask = tf.cast(tf.constant(self.mask), self.compute_dtype)  # of booleans, as every graph holds it
        return tf.cast(self.kernel, self.compute_dtype) * mask


def _slots(units: np.ndarray, features: int) -> np.ndarray:
    """Where the hidden units of each degree lie among the sorted ones, equally many places per degree: (D, places).

    They may reach into other degrees. That does no harm: units of lower degrees come out the same again, and nothing
    reads those of higher degrees before their turn.
    """
    degrees = np.arange(features)
    begins, ends = np.searchsorted(units, degrees), np.searchsorted(units, degrees, side="right")
    places = max(1, int((ends - begins).max()))
    return np.minimum(begins, len(units) - places)[:, None] + np.arange(places)
