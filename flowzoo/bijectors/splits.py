"""Ways to split an event into the part a coupling keeps and the part it changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf


class Split(Protocol):
    """What a coupling needs of a split: the shapes of one event and of its parts, and both directions."""

    event_shape: tuple[int, ...]
    kept_shape: tuple[int, ...]
    free_shape: tuple[int, ...]

    def split(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(batch, *event_shape) -> the kept and the free part."""

    def merge(self, kept: tf.Tensor, free: tf.Tensor) -> tf.Tensor:
        """Undoes `split`."""


class ChannelSplit:
    """Halves of the last axis: the first is kept, the second free; `swap` exchanges them.

    Args:
      event_shape: shape of one event; its last axis has at least two entries.
      swap: keep the second half instead.
    """

    def __init__(self, event_shape: Sequence[int], swap: bool = False):
        *rest, channels = event_shape
        if channels < 2:
            raise ValueError(f"ChannelSplit needs at least 2 channels, got event_shape {tuple(event_shape)}.")
        self.event_shape = tuple(int(n) for n in event_shape)
        self.swap = swap
        self.sizes = (channels - channels // 2, channels // 2)
        shapes = [(*rest, size) for size in self.sizes]
        self.kept_shape, self.free_shape = reversed(shapes) if swap else shapes

    def split(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        first, second = tf.split(x, self.sizes, axis=-1)
        return (second, first) if self.swap else (first, second)

    def merge(self, kept: tf.Tensor, free: tf.Tensor) -> tf.Tensor:
        return tf.concat([free, kept] if self.swap else [kept, free], axis=-1)


class FeatureMask:
    """A 0/1 mask over the entries of a vector: 1 is kept, 0 free.

    Args:
      mask: (features,) of 0 and 1, at least one of each.
    """

    def __init__(self, mask: Sequence[int] | np.ndarray):
        mask = np.asarray(mask)
        if mask.ndim != 1 or not mask.size or not np.isin(mask, (0, 1)).all() or mask.min() == mask.max():
            raise ValueError(
                f"`mask` must be a vector with at least one 0 and one 1 and nothing else, got {mask.tolist()}."
            )
        self.kept, self.free = np.flatnonzero(mask == 1), np.flatnonzero(mask == 0)
        self.order = np.argsort(np.concatenate([self.kept, self.free]))
        self.event_shape = (mask.size,)
        self.kept_shape, self.free_shape = (self.kept.size,), (self.free.size,)

    def split(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.gather(x, self.kept, axis=-1), tf.gather(x, self.free, axis=-1)

    def merge(self, kept: tf.Tensor, free: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.concat([kept, free], axis=-1), self.order, axis=-1)


class AllFree:
    """Nothing of a vector is kept: a coupling then depends on its condition alone, as a class-conditional prior does.

    Args:
      event_shape: (features,).
    """

    def __init__(self, event_shape: Sequence[int]):
        if len(event_shape) != 1:
            raise ValueError(f"AllFree needs a vector, got event_shape {tuple(event_shape)}. Put a Flatten before it.")
        self.event_shape = self.free_shape = (int(event_shape[0]),)
        self.kept_shape = (0,)

    def split(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return x[:, :0], x

    def merge(self, kept: tf.Tensor, free: tf.Tensor) -> tf.Tensor:
        return free


class CheckerboardSplit:
    """The squares of one colour of a checkerboard over an image are kept, the others free.

    Both parts are laid out as (height / 2, width / 2, 2 * channels): the two squares of one colour in each 2x2
    block become channels. A convolution on that lattice sees the same squares as one on the masked image of
    Real NVP, at a quarter of the positions.

    Args:
      event_shape: (height, width, channels), both sides even.
      swap: keep the other colour instead.
    """

    def __init__(self, event_shape: Sequence[int], swap: bool = False):
        height, width, channels = event_shape
        if height % 2 or width % 2:
            raise ValueError(f"CheckerboardSplit needs even height and width, got event_shape {tuple(event_shape)}.")
        self.event_shape = tuple(int(n) for n in event_shape)
        self.swap = swap
        self.kept_shape = self.free_shape = (height // 2, width // 2, 2 * channels)

    def split(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        a, b, c, d = tf.split(tf.nn.space_to_depth(x, 2), 4, axis=-1)
        light, dark = tf.concat([a, d], axis=-1), tf.concat([b, c], axis=-1)
        return (dark, light) if self.swap else (light, dark)

    def merge(self, kept: tf.Tensor, free: tf.Tensor) -> tf.Tensor:
        light, dark = (free, kept) if self.swap else (kept, free)
        (a, d), (b, c) = tf.split(light, 2, axis=-1), tf.split(dark, 2, axis=-1)
        return tf.nn.depth_to_space(tf.concat([a, b, c, d], axis=-1), 2)
