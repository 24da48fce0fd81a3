"""A WaveNet over the rows of a squeezed waveform, whose outputs for a row see only the rows above it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.conditioners.condition import checked
from flowzoo.conditioners.conditioner import Conditioner, nan_where_not_finite, seed_source
from flowzoo.core.checks import check_count
from flowzoo.core.limits import Counted

KERNEL = 3  # rows and columns that a convolution sees


class RowWaveNet(Conditioner):
    """Gated 2-D convolutions with residual and skip connections: causal from row to row, not from column to column.

    The convolution of layer k sees the row itself and the two above it, and of each the columns at distances 0 and
    +-2^(k mod `cycle`). Rows are shifted down by one in front, so the outputs for row i depend on rows < i and the
    condition. The weights depend on neither the height nor the width of the event.

    Args:
      event_shape: (height, width, 1).
      outputs: numbers for each place.
      hidden: channels of the layers.
      layers: number of dilated convolutions.
      condition_features: of a condition vector, or of each frame of a sequence, whose frames are spread evenly over the
        columns; 0 for none.
      typical: mean and standard deviation of each number of a condition, by which it is standardized; () for 0 and 1.
      cycle: layers after which dilations restart at 1.
      seed: seed of the initial weights.
      dtype: float32 or float64: in a narrower type, row-by-row steps differ from one full pass.

    Raises:
      ValueError: another dtype or shape.

    References: Ping et al. 2020, WaveFlow, arXiv:1912.01219; van den Oord et al. 2016, WaveNet, arXiv:1609.03499.
    """

    takes_axes = (1, 2)

    def __init__(
        self,
        event_shape: Sequence[int],
        outputs: int,
        hidden: int = 64,
        layers: int = 8,
        condition_features: int = 0,
        *,
        typical: Sequence[tuple[float, float]] = (),
        cycle: int = 8,
        seed: int = 0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        if len(event_shape) != 3 or event_shape[-1] != 1:
            raise ValueError(f"`event_shape` must be (height, width, 1), got {tuple(event_shape)}.")
        super().__init__(event_shape, (*event_shape[:2], outputs), condition_features, dtype=dtype, name=name)
        if self.compute_dtype not in ("float32", "float64"):
            raise ValueError(f"`dtype` of a RowWaveNet must be float32 or float64, got {dtype!r}.")
        self.hidden, cycle, new_seed = check_count(hidden, "hidden"), check_count(cycle, "cycle"), seed_source(seed)
        count = check_count(layers, "layers")
        self.first = self._dense(hidden, 1, new_seed())
        self.frames = self.by_frame = None
        if condition_features:
            self.typical = np.reshape(typical or [(0.0, 1.0)] * condition_features, [condition_features, 2])
            self.frames = self._dense(hidden, KERNEL * condition_features, new_seed())
            self.by_frame = self._dense(2 * hidden * count, hidden, new_seed())
        self.layers = [
            self._made(GatedRows(hidden, 2 ** (i % cycle), new_seed(), dtype=dtype), (hidden,)) for i in range(count)
        ]
        self.middle = self._dense(hidden, hidden, new_seed())
        self.head = self._dense(outputs, hidden, None)

    def _dense(self, units, width, seed):
        start = "zeros" if seed is None else keras.initializers.HeNormal(seed=seed)
        return self._made(keras.layers.Dense(units, kernel_initializer=start, dtype=self.dtype_policy), (width,))

    def _inputs(self, h, condition):
        return h, self._spread(h, condition)

    def _parameters(self, h, given):
        above = tf.pad(h[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0]])
        return self._through(above, given, lambda i, value: tf.pad(value, [[0, 0], [KERNEL - 1, 0], [0, 0], [0, 0]]))

    def start(self, batch: tf.Tensor, condition: tf.Tensor | None = None) -> tuple[Any, list[tf.Tensor]]:
        """What `step` needs.

        Args:
          batch: number of rows of the batch, a scalar.
          condition: as in `call`.

        Returns:
          What the condition adds to the layers, and the condition; for each layer the rows above the first, all zero.
        """
        _, width, _ = self.input_event_shape
        given = self._spread(tf.zeros([batch, 1, width, 1], self.compute_dtype), condition)
        return (given, condition), [
            tf.zeros([batch, KERNEL - 1, width, self.hidden], self.compute_dtype) for _ in self.layers
        ]

    def step(self, above: tf.Tensor, given: Any, state: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The outputs for one row.

        Args:
          above: (batch, 1, width, 1), the row above it; zeros for the first.
          given: from `start`.
          state: from `start` or the step before.

        Returns:
          (batch, 1, width, outputs), and the new state.
        """
        new = []

        def cached(i, value):
            rows = tf.concat([state[i], value], axis=1)
            new.append(rows[:, 1:])
            return rows

        given, condition = given
        parameters = self._through(tf.cast(above, self.compute_dtype), given, cached)
        return parameters if condition is None else nan_where_not_finite(parameters, condition), new

    def _through(self, above, given, with_rows_above):
        """The outputs for some rows; `with_rows_above(layer, rows)` puts `KERNEL` - 1 more rows in front of them."""
        h, skips = self.first(above), []
        for i, layer in enumerate(self.layers):
            h, skip = layer(h, with_rows_above(i, h), None if given is None else given[i])
            skips.append(skip)
        total = tf.add_n(skips) * float(len(skips)) ** -0.5
        return self.head(tf.nn.relu(self.middle(tf.nn.relu(total))))

    def _spread(self, h, condition):
        """What the condition adds to each layer, (batch, 1, 1 or width, 2 * hidden) each; None without one."""
        condition = checked(h[:, 0], condition, self.condition_features)
        if condition is None:
            return None
        mean, deviation = tf.unstack(tf.constant(self.typical, condition.dtype), axis=1)
        condition, vector = (condition - mean) / deviation, condition.shape.rank == 2
        condition = condition[:, None] if vector else condition
        beside = [condition[:, :1], condition, condition[:, -1:]]  # a frame, and those before and after it
        padded, count = tf.concat(beside, axis=1), tf.shape(condition)[1]
        around = tf.concat([padded[:, i : i + count] for i in range(KERNEL)], axis=-1)
        by_frame = self.by_frame(tf.nn.leaky_relu(self.frames(around), 0.4))
        spread = by_frame if vector else _stretched(by_frame, self.input_event_shape[1])
        return tf.split(spread[:, None], len(self.layers), axis=-1)


class GatedRows(Counted):
    """h -> (h + residual) / sqrt 2 and skip, both of tanh(a) * sigmoid(b), (a, b) = a dilated convolution of h.

    Args:
      hidden: channels.
      dilation: of columns.
      seed: of the initial kernels.
      dtype: float32 or float64.
    """

    def __init__(self, hidden: int, dilation: int, seed: int, *, dtype="float32", name: str | None = None):
        super().__init__(dtype=dtype, name=name)
        self.hidden, self.dilation, self.seed = hidden, dilation, seed

    def build(self, input_shape: Sequence[int]) -> None:
        hidden, starts = self.hidden, keras.initializers.GlorotUniform
        shapes = {"kernel": (KERNEL, KERNEL, hidden, 2 * hidden), "out": (hidden, 2 * hidden)}
        for name, shape in shapes.items():
            setattr(self, name, self.add_weight(shape=shape, initializer=starts(self.seed), name=name))
        for name in ("bias", "out_bias"):
            setattr(self, name, self.add_weight(shape=(2 * hidden,), initializer="zeros", name=name))

    def call(self, h: tf.Tensor, rows: tf.Tensor, given: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """(batch, rows, width, hidden), the same with `KERNEL` - 1 rows above, and what the condition adds."""
        gates = tf.nn.bias_add(_dilated(rows, tf.convert_to_tensor(self.kernel), self.dilation), self.bias)
        gates = gates if given is None else gates + given
        filtered, gate = tf.split(gates, 2, axis=-1)
        out = tf.tensordot(tf.tanh(filtered) * tf.sigmoid(gate), tf.convert_to_tensor(self.out), 1)
        residual, skip = tf.split(tf.nn.bias_add(out, self.out_bias), 2, axis=-1)
        return (h + residual) * 0.5**0.5, skip


def _dilated(rows: tf.Tensor, kernel: tf.Tensor, dilation: int) -> tf.Tensor:
    """A convolution with no padding of rows, and as many columns as before.

    Columns of one residue class form an image of their own: on CPUs TensorFlow has no gradient of dilated convolutions.
    """
    padding = [[0, 0], [0, 0], [1, 1], [0, 0]]
    width, channels = rows.shape[2], rows.shape[3]
    dilation = min(dilation, width)  # beyond, there are no neighbours but zeros
    if dilation == 1:
        return tf.nn.conv2d(rows, kernel, 1, padding)
    count, parts = tf.shape(rows)[0], -(-width // dilation)
    height = rows.shape[1]
    rows = tf.pad(rows, [[0, 0], [0, 0], [0, parts * dilation - width], [0, 0]])
    rows = tf.reshape(rows, [count, height, parts, dilation, channels])
    rows = tf.reshape(tf.transpose(rows, [0, 3, 1, 2, 4]), [count * dilation, height, parts, channels])
    found = tf.nn.conv2d(rows, kernel, 1, padding)
    height, channels = found.shape[1], found.shape[3]
    found = tf.transpose(tf.reshape(found, [count, dilation, height, parts, channels]), [0, 2, 3, 1, 4])
    return tf.reshape(found, [count, height, parts * dilation, channels])[:, :, :width]


def _stretched(frames: tf.Tensor, width: int) -> tf.Tensor:
    """Frames (batch, count, features) at `width` places, (batch, width, features), interpolated linearly."""
    count = tf.shape(frames)[1]
    place = (tf.constant(np.arange(width) + 0.5, frames.dtype)) * tf.cast(count, frames.dtype) / width - 0.5
    place = tf.clip_by_value(place, 0.0, tf.cast(count - 1, frames.dtype))
    low = tf.cast(tf.floor(place), tf.int32)
    share = (place - tf.cast(low, frames.dtype))[:, None]
    high = tf.minimum(low + 1, count - 1)
    return tf.gather(frames, low, axis=1) * (1.0 - share) + tf.gather(frames, high, axis=1) * share
