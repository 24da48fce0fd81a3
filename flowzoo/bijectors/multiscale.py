"""The multiscale architecture with one flat latent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.bijectors.chain import common_dtype
from flowzoo.bijectors.splits import ChannelSplit
from flowzoo.core.context import Context, check_context
from flowzoo.core.transform import Transform, add_log_dets


class Multiscale(Transform):
    """After each level but the last, the second half of the channels is factored out; the flat latent holds all parts.

    decode takes the whole flat latent, so reconstruction is exact; sampling draws all of it anew.

    Args:
      levels: transforms on images; each takes the kept half of what the one before gives.

    Raises:
      TypeError: an entry is not a `Transform`, or they are of different dtypes.
      ValueError: the list is empty or two neighbours do not fit.

    Reference: Dinh et al. 2017, Density estimation using Real NVP, arXiv:1605.08803.
    """

    composite = manages_memory = reversible = takes_context = True

    def __init__(self, levels: Sequence[Transform], *, name: str | None = None):
        levels = list(levels)
        if not levels:
            raise ValueError("`levels` must hold at least one transform, got an empty list.")
        dtype = common_dtype(levels, "levels")
        splits = [ChannelSplit(level.latent_shape) for level in levels[:-1]]
        for split, level in zip(splits, levels[1:], strict=True):
            if split.kept_shape != level.event_shape:
                raise ValueError(
                    f"A level must take the kept half of the one before: expected event_shape {split.kept_shape}, "
                    f"got {level.event_shape}."
                )
        event_shape = levels[0].event_shape
        super().__init__(event_shape, (math.prod(event_shape),), parts=levels, dtype=dtype, name=name)
        self.levels = levels
        self.splits = splits
        self.leaving_shapes = [split.free_shape for split in splits] + [levels[-1].latent_shape]

    def _encode(self, x, condition, context):
        leaving, log_dets = [], []
        for i, level in enumerate(self.levels):
            x, log_det = level.encode(x, condition, context.at(i))
            log_dets.append(log_det)
            if i < len(self.splits):
                x, free = self.splits[i].split(x)
                leaving.append(free)
        return self._pack([*leaving, x]), add_log_dets(log_dets)

    def _decode(self, z, condition, context):
        *leaving, z = self._unpack(z)
        log_dets = []
        for i, level in reversed(list(enumerate(self.levels))):
            if i < len(self.splits):
                z = self.splits[i].merge(z, leaving[i])
            z, log_det = level.decode(z, condition, context.at(i))
            log_dets.append(log_det)
        return z, add_log_dets(log_dets)

    def adapt(self, x: tf.Tensor, condition: tf.Tensor | None = None, context: Context | None = None) -> tf.Tensor:
        leaving, context = [], check_context(context)
        for i, level in enumerate(self.levels):
            x = level.adapt(x, condition, context.at(i))
            if i < len(self.splits):
                x, free = self.splits[i].split(x)
                leaving.append(free)
        return self._pack([*leaving, x])

    def _pack(self, parts):
        flat = [
            tf.reshape(part, [-1, math.prod(shape)]) for part, shape in zip(parts, self.leaving_shapes, strict=True)
        ]
        return tf.concat(flat, axis=1)

    def _unpack(self, z):
        parts = tf.split(z, [math.prod(shape) for shape in self.leaving_shapes], axis=1)
        return [tf.reshape(part, [-1, *shape]) for part, shape in zip(parts, self.leaving_shapes, strict=True)]
