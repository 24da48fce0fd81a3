"""MADE: a masked network whose outputs for a feature see only the features before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.conditioners.base import Conditioner, seed_source
from flowzoo.conditioners.condition import join

State = list[tf.Tensor]  # for each layer, what its units have received so far: (units, batch)
Tables = dict[str, Any]


class MADE(Conditioner):
    """Masked dense layers: the outputs for the feature of degree i depend on those of degree < i and the condition.

    Hidden units are sorted by degree, so that one feature after the other can be computed without a whole pass for
    each: `step` pushes the newest feature through the units that were only waiting for it.

    Args:
      features: number of features D.
      outputs_per_entry: outputs for each feature; the output is (batch, outputs_per_entry * D), all features' first
        ones first, as a `ScalarMap` takes them.
      hidden: widths of the hidden layers; with `residual` all must be equal.
      condition_features: size of the condition vector, which has degree 0; 0 for none.
      order: the features from degree 1 to D, a permutation of 0 ... D - 1; the natural order if not given.
      residual: the hidden layers after the first are pairs with a skip connection around each pair.
      activation: a Keras activation.
      seed: of the initial weights.
      dtype: float32 or float64.

    Raises:
      ValueError: another dtype, an `order` that is no permutation, or wrong widths.

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
                f"`dtype` of a MADE must be float32 or float64, got {dtype!r}: in a narrower type, feature by feature "
                "does not give what one pass gives, and sampling would not undo encode."
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
        new_seed, self.layers, self._blocks = seed_source(seed), [], []
        for width in hidden:
            units = lowest + np.arange(width) * (highest - lowest + 1) // width  # sorted
            self.layers.append(self._masked(units[None] >= degrees[:, None], new_seed(), (len(degrees),)))
            self._blocks.append(_Blocks(units, features))
            degrees = units
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
          The weights, laid out by degree, and what the units have received before any feature.
        """
        features = self.input_event_shape[0]
        first, head = self.layers[0].weight(), tf.reshape(self.head.weight(), [-1, self.outputs_per_entry, features])
        condition = join(tf.zeros([batch, 0], first.dtype), condition, self.condition_features)
        tables = {
            "first": tf.pad(tf.gather(first[:features], self.order), [[1, 0], [0, 0]]),  # (D + 1, units)
            "inner": [
                blocks.rows(layer.weight()) for blocks, layer in zip(self._blocks[:-1], self.layers[1:], strict=True)
            ],
            "head": tf.transpose(tf.gather(head, self.order, axis=2), [2, 1, 0]),  # (D, outputs, units)
            "offset": tf.transpose(tf.gather(tf.reshape(self.head.offset(), [-1, features]), self.order, axis=1)),
            "not finite": 0.0 * tf.reduce_sum(condition, axis=1),  # NaN where the condition is: a relu may swallow it
        }
        state = [tf.repeat(layer.offset()[:, None], batch, axis=1) for layer in self.layers]
        state[0] += tf.matmul(first[features:], condition, transpose_a=True, transpose_b=True)
        return tables, state

    def step(self, i: tf.Tensor, value: tf.Tensor, tables: Tables, state: State) -> tuple[tf.Tensor, State]:
        """The outputs for the feature of degree i + 1, given that of degree i.

        Args:
          i: 0 ... D - 1, a scalar; steps come in this order.
          value: (batch,), the feature of degree i; anything finite for i = 0.
          tables: of `start`.
          state: of `start` or of the step before.

        Returns:
          (outputs_per_entry * batch,), the first outputs of all rows first, and the new state.
        """
        state = list(state)
        state[0] += tables["first"][i][:, None] * tf.cast(value, state[0].dtype)
        streams = [self._blocks[0].of(state[0], i)]
        for layer, rows in enumerate(tables["inner"], start=1):
            state[layer] += tf.matmul(rows[i], self.activation(streams[-1]), transpose_a=True)
            new = self._blocks[layer].of(state[layer], i)
            skip = self.residual and layer % 2 == 0
            streams.append(streams[-2] + new if skip else new)
        last = tf.add_n(state[::2]) if self.residual else state[-1]
        outputs = tf.matmul(tables["head"][i], self.activation(last)) + tables["offset"][i][:, None]
        return tf.reshape(outputs + tables["not finite"], [-1]), state


class MaskedDense(keras.layers.Layer):
    """x -> x (mask * kernel) + bias.

    Args:
      mask: (inputs, units) of booleans.
      seed: of the initial kernel; None starts at zero.
      dtype: float32 or float64.
    """

    def __init__(self, mask: np.ndarray, seed: int | None, *, dtype: str = "float32", name: str | None = None):
        super().__init__(dtype=dtype, name=name)
        self.mask, self.seed = mask, seed

    def build(self, input_shape: Sequence[int]) -> None:
        start = "zeros" if self.seed is None else keras.initializers.HeNormal(seed=self.seed)
        self.kernel = self.add_weight(shape=self.mask.shape, initializer=start, name="kernel")
        self.bias = self.add_weight(shape=self.mask.shape[1:], initializer="zeros", name="bias")

    def weight(self) -> tf.Tensor:
        """The masked kernel, (inputs, units)."""
        return tf.cast(self.kernel, self.compute_dtype) * tf.constant(self.mask, self.compute_dtype)

    def offset(self) -> tf.Tensor:
        """The bias, (units,)."""
        return tf.cast(self.bias, self.compute_dtype)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(x, self.weight()) + self.offset()


class _Blocks:
    """Where the hidden units of each degree lie, in slices of one size."""

    def __init__(self, units: np.ndarray, features: int):
        degrees = np.arange(features)
        begins, ends = np.searchsorted(units, degrees), np.searchsorted(units, degrees, side="right")
        self.size = max(1, int((ends - begins).max()))
        self.starts = np.minimum(begins, len(units) - self.size)
        self.index = index = self.starts[:, None] + np.arange(self.size)  # (D, size)
        self.own = (index >= begins[:, None]) & (index < ends[:, None])  # a slice may reach into other degrees

    def rows(self, weight: tf.Tensor) -> tf.Tensor:
        """The next layer's weights for each slice, (D, size, next units), zero for units of other degrees."""
        return tf.gather(weight, self.index) * tf.constant(self.own[..., None], weight.dtype)

    def of(self, units: tf.Tensor, i: tf.Tensor) -> tf.Tensor:
        """The slice of degree i: (units, batch) -> (size, batch)."""
        begin = tf.stack([tf.constant(self.starts, tf.int32)[i], 0])
        return tf.slice(units, begin, tf.stack([self.size, tf.shape(units)[1]]))
