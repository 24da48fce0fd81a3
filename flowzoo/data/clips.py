"""Clips: equally long windows of recordings of different lengths, each cut where asked within its recording."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


class Clips:
    """As many clips of each recording as fit into it side by side, in order; its samples beyond the last are left out.

    Args:
      samples: (n,) of all recordings, one after the other.
      lengths: of the recordings.
      length: of a clip.
    """

    def __init__(self, samples: np.ndarray, lengths: Sequence[int] | np.ndarray, length: int):
        lengths = np.asarray(lengths, np.int32)
        counts, ends = lengths // length, np.cumsum(lengths)
        self.samples, self.length, self.recording = samples, length, np.repeat(np.arange(len(lengths)), counts)
        number = np.arange(len(self.recording)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.low = (ends - lengths)[self.recording].astype(np.int32)  # where the first clip of the recording begins,
        self.high = (ends - length)[self.recording].astype(np.int32)  # and the last
        self.starts = self.low + number.astype(np.int32) * length

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def shape(self) -> tuple[int, int]:
        """That of all clips in one array."""
        return len(self), self.length

    def held(self) -> Clips:
        """The same in tensors, which graphs refer to instead of copying them."""
        import tensorflow as tf  # imported here and below: facts about data sets do not need it

        clips = copy.copy(self)
        for name in ("samples", "starts", "low", "high"):
            setattr(clips, name, tf.constant(getattr(self, name)))
        return clips

    def cut(self, index: tf.Tensor, moves: tf.Tensor | None = None, most: int = 0) -> tf.Tensor:
        """The clips ([batch]) of these numbers, ([batch,] length).

        Args:
          index: ([batch]) integers.
          moves: ([batch]) integers from -most to most, all equally likely: the clip then begins, with equal
            probability, at any place in its recording that is at most this far from its own. None for its own.
          most: see `moves`.
        """
        import tensorflow as tf

        start = tf.gather(self.starts, index)
        if moves is not None:
            low = tf.maximum(start - most, tf.gather(self.low, index))
            high = tf.minimum(start + most, tf.gather(self.high, index))
            start = low + (moves + most) * (high - low + 1) // (2 * most + 1)
        return tf.gather(self.samples, start[..., None] + tf.range(self.length))
