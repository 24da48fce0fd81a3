"""`load`: a deterministic, restartable tf.data stream of one split.

The data sets fit in memory, so the stream is one of indices: the order of an epoch is a stateless permutation of
(seed, epoch), and any step can be reached without running through those before it.
"""

import math
import numbers
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from flowzoo.data import arrays
from flowzoo.data.binarised import anew
from flowzoo.data.clips import Clips
from flowzoo.data.computed_conditions import made
from flowzoo.data.specs import LABEL, DatasetSpec, asked, depth, spec

FAR = 2**62  # the epochs of streams, away from those of orders, flips and shifts


def load(
    name: str,
    split: str = "train",
    *,
    batch_size: int | None = None,
    bits: int | None = None,
    shuffle: bool = False,
    flip: bool = False,
    shift: int = 0,
    seed: int = 0,
    epochs: int | None = 1,
    start_step: int = 0,
    labels: bool = False,
    conditions: Sequence[str] = (),
    drop_remainder: bool = False,
    data_dir: str | os.PathLike | None = None,
) -> tf.data.Dataset:
    """Returns a prepared data set as a stream of examples in native units.

    Order, flips, shifts and drawn pixels are pure functions of (seed, epoch, example): two calls with the same
    arguments give the same stream, and `start_step=k` gives it from element k on. Each epoch shows every example once.

    Args:
        name: one of `flowzoo.data.names()`.
        split: "train", "validation", "test" or another of `flowzoo.data.spec(name).splits`; its `split_rule` says how
            they are cut.
        batch_size: examples per batch; None gives single examples.
        bits: keep the highest `bits` of 8: x -> x >> (8 - bits), integers 0 ... 2^bits - 1; of audio those of 16. None
            keeps all; continuous data has none, so 0 or None.
        shuffle: a new order each epoch.
        flip: mirror each example left-right with probability 1/2, anew each epoch.
        shift: move each image by up to this many pixels along both sides, anew each epoch; what moves in is mirrored at
            the edge. Of audio: cut each clip at another place of its recording, up to this many samples away.
        seed: of order, flips and shifts.
        epochs: passes over the split; None repeats forever.
        start_step: elements (batches, or examples without `batch_size`) to leave out at the start, at no cost.
        labels: give (x, label) instead of x: short for `conditions=["label"]`.
        conditions: give (x, condition) instead of x, with these of `flowzoo.data.spec(name).conditions`: of one name
            the condition itself, of several a dict.
        drop_remainder: leave out the smaller batch that may end an epoch.
        data_dir: TFDS' folder; None means $TFDS_DATA_DIR or ~/tensorflow_datasets.

    Returns:
        A `tf.data.Dataset` of known cardinality whose x is ([batch_size,] *event_shape), uint8, int16 for audio, or
        float32 for continuous data, and whose label is int32 ([batch_size]).

    Raises:
        MissingDataError: if the data set isn't prepared here. Nothing is downloaded.
        ValueError: for an argument out of range.
    """
    facts, deepest = spec(name), spec(name).x_space.depth
    if flip and not facts.flip_ok:
        raise ValueError(f"`flip` must be False for {name!r}, got True: mirrored, its examples aren't valid.")
    conditions = _names(facts, labels, conditions)
    if shift and not (facts.rate or len(facts.event_shape) == 3):
        raise ValueError(f"`shift` must be 0 for {name!r}, got {shift!r}: only images and audio can be moved.")
    _check_integer("shift", shift, 0, min(facts.event_shape[:2]) - 1)
    _check_integer("batch_size", batch_size, 1, optional=True)
    _check_integer("bits", bits, min(deepest, 1), deepest, optional=True)
    _check_integer("seed", seed, -(2**63), 2**63 - 1)
    _check_integer("epochs", epochs, 1, optional=True)
    _check_integer("start_step", start_step, 0)
    drawn = bool(facts.binarised) and split in facts.training_splits
    examples, classes = arrays.read(facts.binarised if drawn else name, split, data_dir)
    size = len(examples)
    if drop_remainder and not (batch_size and batch_size <= size):
        raise ValueError(f"`drop_remainder` needs a `batch_size` of 1 to {size}, got {batch_size}. Pass such a size.")
    x_space = facts.x_space_of(bits)
    spaces = {condition: facts.conditions[condition] for condition in conditions}
    step_size = batch_size or 1
    epoch_steps = size // step_size if drop_remainder else -(-size // step_size)
    first_epoch, first_step = divmod(start_step, epoch_steps)
    with tf.device("cpu"):  # tf.data runs there; by default a GPU would take the arrays
        examples = examples.held() if isinstance(examples, Clips) else tf.constant(examples)
        classes = tf.constant(classes) if LABEL in conditions else None

    def epoch_stream(epoch: tf.Tensor) -> tf.data.Dataset:
        skipped = tf.where(epoch == first_epoch, first_step * step_size, 0)
        plan = epoch_plan(size, seed, epoch, shuffle=shuffle, flip=flip, shift=shift)
        if drawn:
            plan = (*plan, tf.gather(_streams(size, seed, epoch), plan[0]))
        stream = tf.data.Dataset.from_tensor_slices(tuple(part[skipped:] for part in plan))
        return stream.batch(batch_size, drop_remainder=drop_remainder) if batch_size else stream

    def element(index: tf.Tensor, coins: tf.Tensor, moves: tf.Tensor, *streams: tf.Tensor) -> Any:
        if isinstance(examples, Clips):
            x = examples.cut(index, moves[..., 0] if shift else None, shift)
        else:
            x = altered(tf.gather(examples, index), coins if flip else None, moves if shift else None)
        if drawn:
            x = tf.reshape(anew(tf.reshape(x, [-1, *facts.event_shape]), tf.reshape(streams[0], [-1, 2])), tf.shape(x))
            x = tf.ensure_shape(x, [*([None] if batch_size else []), *facts.event_shape])
        if x_space.depth < deepest:
            x = tf.bitwise.right_shift(x, tf.constant(deepest - x_space.depth, x.dtype))
        given = {
            condition: tf.gather(classes, index) if condition == LABEL else made(x, space, x_space)
            for condition, space in spaces.items()
        }
        return x if not given else (x, given if len(given) > 1 else given[conditions[0]])

    stream = tf.data.Dataset.range(first_epoch, tf.int64.max if epochs is None else epochs).flat_map(epoch_stream)
    stream = stream.map(element, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    left = tf.data.INFINITE_CARDINALITY if epochs is None else max(0, epochs * epoch_steps - start_step)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA  # there are no files
    return stream.apply(tf.data.experimental.assert_cardinality(left)).prefetch(tf.data.AUTOTUNE).with_options(options)


def stream(dataset: Mapping[str, Any], split: str = "train", **how: Any) -> tf.data.Dataset:
    """`load` as a preset's `dataset` asks: of its name, with its bits, and with the conditions that it wants."""
    return load(dataset["name"], split, bits=depth(dataset), conditions=asked(dataset), **how)


def epoch_plan(
    size: int, seed: int, epoch: tf.Tensor, *, shuffle: bool = True, flip: bool = False, shift: int = 0
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """What an epoch shows at each place: the example's number, whether it is mirrored, and how far it is moved.

    Integers (size,), booleans (size,), and int32 (size, 2) of at most `shift`.
    """
    order = _order(size, seed, epoch) if shuffle else tf.range(size)
    coins = tf.gather(_coins(size, seed, epoch), order) if flip else tf.zeros([size], tf.bool)
    moves = tf.gather(_moves(size, seed, epoch, shift), order) if shift else tf.zeros([size, 2], tf.int32)
    return order, coins, moves


def altered(x: tf.Tensor, coins: tf.Tensor | None, moves: tf.Tensor | None) -> tf.Tensor:
    """x, ([batch,] *event_shape), mirrored where `coins` ([batch]) is true, and moved by `moves` ([batch,] 2)."""
    if coins is not None:
        event_shape = x.shape[coins.shape.rank :]
        x = tf.where(coins[(..., *[None] * len(event_shape))], _mirrored(x, event_shape), x)
    if moves is not None:
        batch = moves.shape.rank - 1
        for axis in (0, 1):
            last = x.shape[batch + axis] - 1
            places = tf.abs(tf.range(last + 1) + moves[..., axis, None])
            places = last - tf.abs(last - places)  # of what moves in, as in a mirror at the edge
            x = tf.gather(x, places, axis=batch + axis, batch_dims=batch)
    return x


def _mirrored(x: tf.Tensor, event_shape: tf.TensorShape) -> tf.Tensor:
    if len(event_shape) == 3:
        return tf.reverse(x, axis=[-2])
    side = math.isqrt(event_shape[0] + 1)  # of a patch without its last pixel, which is minus the sum of the others
    whole = tf.concat([x, -tf.reduce_sum(x, axis=-1, keepdims=True)], axis=-1)
    return tf.gather(whole, np.arange(side * side).reshape(side, side)[:, ::-1].ravel()[:-1], axis=-1)


def _order(size: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    return tf.argsort(_random_bits(size, seed, 2 * epoch), stable=True)


def _coins(size: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    return _random_bits(size, seed, 2 * epoch + 1) < 0


def _moves(size: int, seed: int, epoch: tf.Tensor, shift: int) -> tf.Tensor:
    bits = tf.reshape(_random_bits(2 * size, seed, -1 - epoch), [size, 2])  # a stream of its own
    return tf.cast(tf.math.floormod(bits, 2 * shift + 1), tf.int32) - shift


def _streams(size: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """(size, 2) int32: one stream of random numbers for each example."""
    return tf.bitcast(_random_bits(size, seed, FAR + epoch), tf.int32)


def _random_bits(size: int, seed: int, stream: tf.Tensor) -> tf.Tensor:
    # An explicit algorithm, as the default differs between devices; all 64 bits, as ties would bias the permutation.
    both = tf.stack([tf.constant(seed, tf.int64), stream])
    return tf.random.stateless_uniform([size], both, minval=None, maxval=None, dtype=tf.int64, alg="philox")


def _names(facts: DatasetSpec, labels: bool, conditions: Sequence[str]) -> tuple[str, ...]:
    if labels and LABEL not in facts.conditions:
        raise ValueError(f"`labels` must be False for {facts.name!r}, got True: the data set has no class labels.")
    names = (LABEL,) * bool(labels) + tuple(conditions)
    known = tuple(facts.conditions)
    if len(set(names)) < len(names) or not set(names) <= set(known):
        raise ValueError(f"`conditions` must be some of {known} for {facts.name!r}, each once, got {names}.")
    return names


def _check_integer(argument: str, value: Any, least: int, most: float = float("inf"), optional: bool = False) -> None:
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not least <= value <= most:
        wanted = f"at least {least}" if most == float("inf") else f"{least} to {most}" if least < most else f"{least}"
        raise ValueError(f"`{argument}` must be an integer, {wanted}{', or None' if optional else ''}, got {value!r}.")
