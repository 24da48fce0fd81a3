"""Zeros and ones drawn from grey pixels, each 1 with probability pixel / 255.

Reference: Salakhutdinov & Murray 2008, On the quantitative analysis of deep belief networks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

ROWS = 1000  # drawn at once: the uniform numbers take eight bytes each


def once(grey: np.ndarray, seed: list[int]) -> np.ndarray:
    """Grey pixels (n, ...) uint8 -> zeros and ones of that shape; those of a row are the same for any n."""
    numbers, x = np.random.default_rng(seed), np.empty_like(grey)
    for start in range(0, len(grey), ROWS):
        part = grey[start : start + ROWS]
        x[start : start + ROWS] = 255.0 * numbers.random(part.shape) < part
    return x


def anew(grey: tf.Tensor, streams: tf.Tensor) -> tf.Tensor:
    """Grey pixels (batch, ...) uint8 and streams (batch, 2) int32 -> zeros and ones, uint8."""
    import tensorflow as tf  # imported here: `fixture` does not need it

    from flowzoo.core import random

    return tf.cast(255.0 * random.uniform(streams, grey.shape[1:]) < tf.cast(grey, tf.float32), tf.uint8)
