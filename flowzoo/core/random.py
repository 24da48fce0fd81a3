"""Counter-based random numbers with one stream per row, the same in Python, in a graph, under XLA and exported.

Reference: Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3 (Threefry-2x32, 20 rounds).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from flowzoo.core.checks import check_seed

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
LANES = 16  # numbers that a processor computes at once; those left over at the end of an array round differently


def row_seeds(seed: int, rows: int | tf.Tensor) -> tf.Tensor:
    """Seeds of `rows` independent streams: (rows, 2) int32; row i depends on `seed`, 0 ... 2^64 - 1, and i only."""
    return seeds_at(seed, tf.range(rows))


def seeds_at(seed: int, index: tf.Tensor) -> tf.Tensor:
    """The rows of `row_seeds` with these numbers, 0 ... 2^32 - 1: (rows,) integers -> (rows, 2) int32."""
    return seeds_of(tf.constant(words(seed)), index)


def words(seed: int) -> np.ndarray:
    """The two halves of a seed, 0 ... 2^64 - 1, for `seeds_of`: (2,) uint32, the low one first."""
    seed = check_seed(seed, "seed", 64)
    return np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint32)


def seeds_of(halves: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """`seeds_at` of a seed as a tensor, so that one graph serves all seeds: `words` of it -> (rows, 2) int32."""
    index = tf.cast(index, tf.uint32)
    return _pack(*_threefry(halves[0], halves[1], index, tf.zeros_like(index)))


def fold_in(seeds: tf.Tensor, data: int | tf.Tensor) -> tf.Tensor:
    """New streams from streams (rows, 2) int32 and an integer modulo 2^32, of all or of each row, (rows,)."""
    if isinstance(data, int):
        data = tf.constant(data & 0xFFFFFFFF, tf.uint32)
    key0, key1 = _unpack(seeds)
    counter = tf.zeros_like(key0) + tf.cast(data, tf.uint32)
    return _pack(*_threefry(key0, key1, counter, tf.ones_like(counter)))


def hash_rows(x: tf.Tensor) -> tf.Tensor:
    """Seeds made of each row's own content: (batch, ...) -> (batch, 2) int32."""
    x = tf.convert_to_tensor(x)
    size = math.prod(x.shape[1:])
    if x.dtype == tf.float64:  # two words for each number: time stamps differ in the lower one
        x, size = tf.bitcast(x, tf.uint32), 2 * size
    elif x.dtype.is_floating:
        x = tf.bitcast(tf.cast(x, tf.float32), tf.uint32)
    words = tf.reshape(tf.cast(x, tf.uint32), [-1, size])
    index = tf.range(size, dtype=tf.int32)
    weights = _threefry(*_constants(0x666C6F77, 0x7A6F6F), tf.cast(index, tf.uint32), tf.zeros(size, tf.uint32))
    odd = tf.constant(1, tf.uint32)
    sums = [tf.reduce_sum(words * tf.bitwise.bitwise_or(weight, odd), axis=1) for weight in weights]
    return _pack(*_threefry(*_constants(size & 0xFFFFFFFF, 1), *sums))


def uniform(seeds: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Uniform numbers in [0, 1) for each row: seeds (rows, 2) int32 -> (rows, *shape) float32."""
    return _reshape(_unit(_bits(seeds, shape)), shape)


def scalars(seeds: tf.Tensor) -> tf.Tensor:
    """One uniform number in [0, 1) for each row, from the bits of its seed, which nothing else may use: (rows,)."""
    return _unit(_unpack(seeds)[0])


def normal(seeds: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Standard normal numbers for each row: seeds (rows, 2) int32 -> (rows, *shape) float32."""
    centred = tf.cast(_shift_right(_bits(seeds, shape), 9), tf.float32) * 2.0**-22 + (2.0**-23 - 1.0)
    # the last few entries, with which no vector of the processor is full, would get another last bit
    filled = tf.pad(tf.reshape(centred, [-1]), [[0, LANES - 1]])
    return _reshape((math.sqrt(2.0) * tf.math.erfinv(filled))[: 1 - LANES], shape)  # no sum can be fused with it


def _unit(words):
    return tf.cast(_shift_right(words, 8), tf.float32) * 2.0**-24


def _bits(seeds, shape):
    key0, key1 = (word[:, None] for word in _unpack(seeds))
    size = math.prod(shape)
    half = (size + 1) // 2
    counter = tf.cast(tf.range(half, dtype=tf.int32), tf.uint32)[None] + tf.zeros_like(key0)
    return tf.concat(_threefry(key0, key1, counter, tf.zeros_like(counter)), axis=1)[:, :size]


def _threefry(key0, key1, x0, x1):
    words = _rounds(key0, key1, x0, x1)
    shape = tf.broadcast_static_shape(key0.shape, x0.shape)
    for word in words:
        word.set_shape(shape)
    return words


@tf.function(autograph=False, input_signature=[tf.TensorSpec(None, tf.uint32)] * 4)
def _rounds(key0, key1, x0, x1):
    """Traced once, and called from all graphs: its hundred operations would be a third of a small flow's."""
    keys = (key0, key1, tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(key0, key1), _constants(0x1BD11BDA)[0]))
    x0, x1 = x0 + keys[0], x1 + keys[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = tf.bitwise.bitwise_xor(_rotate_left(x1, rotation), x0)
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + keys[(group + 2) % 3] + tf.constant(group + 1, tf.uint32)
    return x0, x1


def _constants(*words):
    return tuple(tf.constant(word, tf.uint32) for word in words)


def _shift_right(words, bits):
    return tf.bitwise.right_shift(words, tf.constant(bits, tf.uint32))


def _rotate_left(words, bits):
    left = tf.bitwise.left_shift(words, tf.constant(bits, tf.uint32))
    return tf.bitwise.bitwise_or(left, _shift_right(words, 32 - bits))


def _reshape(values, shape):
    return tf.reshape(values, [-1, *shape])


def _pack(word0, word1):
    return tf.bitcast(tf.stack([word0, word1], axis=-1), tf.int32)


def _unpack(seeds):
    return tf.unstack(tf.bitcast(tf.convert_to_tensor(seeds, tf.int32), tf.uint32), axis=-1)
