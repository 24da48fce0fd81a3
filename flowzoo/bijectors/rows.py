"""Waveforms as rows, and a flow that is autoregressive over whole rows, not over samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import tensorflow as tf

from flowzoo.bijectors.autoregressive import Autoregressive
from flowzoo.core.transform import Bijector, constant_log_det, sum_event


class RowConditioner(Protocol):
    """What a row-wise flow needs of its network besides a full pass: stepping row by row."""

    input_event_shape: tuple[int, ...]
    output_event_shape: tuple[int, ...]

    def __call__(self, x: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """All parameters in one pass: (batch, height, width, channels) -> (batch, height, width, outputs)."""

    def start(self, batch: tf.Tensor, condition: tf.Tensor | None = None) -> tuple[Any, list[tf.Tensor]]:
        """Constants of all steps, and the state before the first."""

    def step(self, above: tf.Tensor, constants: Any, state: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The parameters of the next row, (batch, 1, width, outputs), given the one above it."""


class Fold(Bijector):
    """z[i, j, 0] = x[j * height + i]: a waveform (samples,) -> (height, samples / height, 1), neighbours in a column.

    Args:
      event_shape: (samples,), divisible by `height`.
      height: number of rows.

    Reference: Ping et al. 2020, WaveFlow, arXiv:1912.01219.
    """

    def __init__(self, event_shape: Sequence[int], height: int, *, dtype: str = "float32", name: str | None = None):
        (samples,) = event_shape
        if height < 1 or samples % height:
            raise ValueError(f"`height` must divide the {samples} samples of an event, got {height}.")
        super().__init__(event_shape, (height, samples // height, 1), dtype=dtype, name=name)

    def _encode(self, x, condition):
        height, width, _ = self.latent_shape
        return tf.transpose(tf.reshape(x, [-1, width, height]), [0, 2, 1])[..., None], constant_log_det(0.0, x)

    def _decode(self, z, condition):
        return tf.reshape(tf.transpose(z[..., 0], [0, 2, 1]), [-1, *self.event_shape]), constant_log_det(0.0, z)


class ReverseRows(Bijector):
    """z is x with its rows, the first axis, in reverse order."""

    least_axes = 1

    def _encode(self, x, condition):
        return tf.reverse(x, [1]), constant_log_det(0.0, x)

    _decode = _encode


class AutoregressiveRows(Autoregressive):
    """z_i = scalar(x_i; conditioner(the rows above, condition)) for row i: encode is one pass, decode one per row.

    Args:
      conditioner: a `RowWaveNet` or another `RowConditioner`, with `scalar.outputs_per_entry` outputs for each number.
      scalar: `Affine`, `RationalQuadratic` or similar.

    Raises:
      TypeError: the conditioner can't step row by row.
      ValueError: the conditioner gives another number of outputs.

    Reference: Ping et al. 2020, WaveFlow: a compact flow-based model for raw audio, arXiv:1912.01219.
    """

    needed = ("start", "step", "input_event_shape")
    usual = "RowWaveNet"

    def _decode(self, z, condition):
        height, batch = self.event_shape[0], tf.shape(z)[0]
        constants, state = self.conditioner.start(batch, condition)
        rows = tf.TensorArray(z.dtype, height, element_shape=[z.shape[0], 1, *z.shape[2:]])

        def one(i, above, log_det, rows, *state):
            raw, state = self.conditioner.step(above, constants, list(state))
            value = tf.gather(z, [i], axis=1)
            row, log_slope = self.scalar.decode(value, tf.cast(raw, self.compute_dtype))
            return i + 1, row, log_det + sum_event(log_slope), rows.write(i, row), *state

        carried = (tf.constant(0), tf.zeros_like(z[:, :1]), tf.zeros([batch], z.dtype), rows, *state)
        carried = tf.while_loop(
            lambda i, *_: i < height, one, carried, maximum_iterations=height, parallel_iterations=1
        )
        _, _, log_det, rows, *_ = carried
        return tf.reshape(tf.transpose(rows.stack()[:, :, 0], [1, 0, 2, 3]), tf.shape(z)), log_det
