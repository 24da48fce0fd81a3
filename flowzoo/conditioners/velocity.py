"""Networks f(t, y) for dy/dt = f(t, y), which give directional derivatives along with the value."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from flowzoo.conditioners.condition import join
from flowzoo.conditioners.conditioner import Conditioner, nan_where_not_finite, seed_source
from flowzoo.core.checks import check_number
from flowzoo.core.limits import Counted


def _tanh(h):
    value = tf.tanh(h)
    return value, 1.0 - tf.square(value)


def _swish(h):
    gate = tf.sigmoid(h)
    return h * gate, gate * (1.0 + h * (1.0 - gate))


ACTIVATIONS: dict[str, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]] = {  # value and slope
    "tanh": _tanh,
    "softplus": lambda h: (tf.math.softplus(h), tf.sigmoid(h)),
    "swish": _swish,
}


class Velocity(Conditioner):
    """Concat-squash layers, (W h + b) * sigmoid(u t + v) + w t, with an activation between them; the last starts at 0.

    A condition is concatenated to y. Derivatives are propagated forward with the value: one product with W for all.

    Args:
      event_shape: of y, (features,) or (height, width, channels).
      hidden: widths of the hidden layers.
      condition_features: size of the condition, as of a `Conditioner`.
      activation: a key of `ACTIVATIONS`; all are smooth, as solvers require.
      gain: of the initial kernels, relative to Glorot's; 4 makes up for the signal lost in gates and swish.
      seed: seed of the initial weights.
      dtype: float32 or float64: in a narrower type rounding would look like an error to a solver that adapts its steps.

    Raises:
      ValueError: another dtype, no hidden layer, or an unknown activation.

    Reference: Grathwohl et al. 2019, FFJORD, arXiv:1810.01367.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        hidden: Sequence[int] = (64, 64),
        condition_features: int = 0,
        *,
        activation: str = "tanh",
        gain: float = 1.0,
        seed: int = 0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, event_shape, condition_features, dtype=dtype, name=name)
        self.takes_axes = tuple({1, len(event_shape)})
        if self.compute_dtype not in ("float32", "float64"):
            raise ValueError(f"`dtype` of a Velocity must be float32 or float64, got {dtype!r}.")
        if activation not in ACTIVATIONS:
            raise ValueError(f"`activation` must be one of {sorted(ACTIVATIONS)}, got {activation!r}.")
        if not hidden:
            raise ValueError("`hidden` must name at least one layer, got none.")
        gain = check_number(gain, "gain")
        self.activation, new_seed, width = activation, seed_source(seed), self.joined_shape[-1]
        self.layers = []
        for units in (*hidden, None):
            start = _start(gain, new_seed()) if units else "zeros"
            units = units or self.output_event_shape[-1]
            layer = ConcatSquash(units, len(event_shape) - 1, start, new_seed(), dtype=self.dtype_policy)
            self.layers.append(self._made(layer, (*self.joined_shape[:-1], width)))
            width = units

    def call(self, t: tf.Tensor, y: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """f(t, y): (batch,), (batch, *event_shape) -> (batch, *event_shape)."""
        return self._run(t, y[None], condition)[0]

    def along(
        self, t: tf.Tensor, y: tf.Tensor, directions: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """f, and df/dy times each direction, in the shape of `directions`: (directions, batch, *event_shape)."""
        stacked = self._run(t, tf.concat([y[None], directions], axis=0), condition)
        return stacked[0], stacked[1:]

    def _run(self, t, stacked, condition):
        """The value, first in its stack, and the directions."""
        if self.condition_features or condition is not None:
            value = join(stacked[0], condition, self.condition_features)
            rest = tf.pad(stacked[1:], [[0, 0]] * (stacked.shape.rank - 1) + [[0, self.condition_features]])
            stacked = tf.concat([value[None], rest], axis=0)
        time = tf.reshape(t, [-1] + [1] * (stacked.shape.rank - 2))
        activate = ACTIVATIONS[self.activation]
        for layer in self.layers[:-1]:
            value, rest = layer(stacked, time)
            value, slope = activate(value)
            stacked = _joined(value, rest, slope)
        value, rest = self.layers[-1](stacked, time)
        value = value if condition is None else nan_where_not_finite(value, condition)
        return _joined(value, rest)


def _joined(value, rest, slope=1.0):
    """A stack of the value and the directions, each times the slope; without work for directions that are not there."""
    return value[None] if rest is None else tf.concat([value[None], rest * slope], axis=0)


def _start(gain, seed):
    return keras.initializers.VarianceScaling(gain**2, "fan_avg", "uniform", seed)


class ConcatSquash(Counted):
    """One layer of a `Velocity`: dense, or where y has places, a convolution of width 3 along each of their axes.

    Args:
      units: number of units, or channels.
      axes: number of axes before the features of y: 0 for a vector, 2 for an image.
      start: initializer of the kernel.
      seed: of the weights by which the gates depend on time.
      dtype: Keras dtype policy.
    """

    def __init__(self, units: int, axes: int, start, seed: int, *, dtype="float32", name: str | None = None):
        super().__init__(dtype=dtype, name=name)
        self.units, self.axes, self.start, self.seed = units, axes, start, seed

    def build(self, input_shape: Sequence[int]) -> None:
        shape = (*[3] * self.axes, input_shape[-1], self.units)
        self.kernel = self.add_weight(shape=shape, initializer=self.start, name="kernel")
        gate = keras.initializers.RandomUniform(-1.0, 1.0, seed=self.seed)
        for name, initializer in (("bias", "zeros"), ("gate", gate), ("gate_bias", "zeros"), ("shift", "zeros")):
            setattr(self, name, self.add_weight(shape=(self.units,), initializer=initializer, name=name))

    def call(self, stacked: tf.Tensor, time: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """The value, and the directions, if there are any, without the terms that do not depend on y."""
        bias, gate, gate_bias, shift = (
            tf.cast(weight, self.compute_dtype) for weight in (self.bias, self.gate, self.gate_bias, self.shift)
        )
        linear, squash = self._linear(stacked), tf.sigmoid(time * gate + gate_bias)
        alone = stacked.shape[0] == 1
        value = tf.squeeze(linear, 0) if alone else linear[0]
        return (value + bias) * squash + time * shift, None if alone else linear[1:] * squash

    def _linear(self, stacked):
        shape, kernel = tf.shape(stacked), tf.cast(self.kernel, self.compute_dtype)
        rows = tf.reshape(stacked, [shape[0] * shape[1], *stacked.shape[2:]])
        rows = tf.nn.convolution(rows, kernel, padding="SAME") if self.axes else tf.matmul(rows, kernel)
        return tf.reshape(rows, [shape[0], shape[1], *rows.shape[1:]])
