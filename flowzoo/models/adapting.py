"""Data-dependent initialisation of a flow: by the call that asks for it, or by the first `fit`."""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np
import tensorflow as tf

from flowzoo.bijectors import Bounds, Chain, Standardize
from flowzoo.bijectors.constant import constant_columns
from flowzoo.core.transform import Transform
from flowzoo.core.warn import warn
from flowzoo.modalities.registry import modality_of
from flowzoo.models.feeding import each, is_array
from flowzoo.models.frames import SHOWN
from flowzoo.models.support import Adaptable, require_inside
from flowzoo.models.workers import across_workers

FAR = 1e4  # deviations of the rows adapted to: beyond, losses are squares of more than 1e4
HUGE = 1e3  # a loss per dimension that rows so far away may cause, nats
NARROW = 2.0**-16  # deviations: 128 steps of float32 at the size 1 that flows through layers
ROWS, NUMBERS = (32, 1024), 2**18  # what `fit` adapts to: the rows that hold this many numbers, within these limits


def adaptable(flow: Adaptable) -> list[Transform]:
    """The transforms that `adapt` sets from data."""
    layers = (layer for layer in flow.transform._flatten_layers() if isinstance(layer, Transform))
    return [layer for layer in layers if not layer.composite and type(layer).adapt is not Transform.adapt]


def adapt(flow: Adaptable, x: tf.Tensor, condition: tf.Tensor | None, seed: int) -> None:
    """Adapts a flow to checked rows, wholly or, if it raises, not at all.

    Raises:
      ValueError: there are fewer than two rows, one of them is outside the support, or a weight would not be finite.
    """
    if x.shape[0] < 2:
        raise ValueError(
            f"`x` must hold at least 2 examples to adapt to, got {x.shape[0]}. Pass a few hundred rows of data."
        )
    require_inside(flow, x, condition)
    layers = adaptable(flow)
    weights = [weight for layer in layers for weight in layer.weights]
    before = [_numbers(weight) for weight in weights]
    try:
        z = flow.transform.adapt(x, flow.raw.features(condition), flow.raw.context(x, flow.raw.as_seed(seed)))
        bad = next((weight.path for weight in weights if not np.isfinite(_numbers(weight)).all()), None)
        if bad is not None or not np.isfinite(z).all():
            size, limit = float(np.abs(x).max()), math.sqrt(np.finfo(flow.compute_dtype).max)
            square = f", whose square {flow.compute_dtype} can't hold" if size > limit else ""
            raise ValueError(
                f"`adapt` must leave finite numbers, got others in {bad or 'the latents'}, for x that reaches "
                f"{size:.3g}{square}. Repair these rows, divide x by its scale, or build the flow with "
                "`standardize=True`."
            )
    except BaseException:
        for weight, value in zip(weights, before, strict=True):
            weight.assign(value)
        raise
    flow.adapted.assign(1)


def warn_of_columns(flow: Adaptable, x: tf.Tensor) -> None:
    """Warns of columns that a flow can't learn, judging by the rows that it was just adapted to."""
    if not modality_of(flow.x_space).tabular(flow.x_space) or not (layers := adaptable(flow)):
        return  # images may have a border that is always black
    _warn_of_constant_columns(np.asarray(x), layers)
    _warn_of_outliers(flow, x)


def prepare(flow: Adaptable, x, y, method: str) -> None:
    """What `fit` and a first `train_on_batch` do: adapt a new flow to the first rows of its data, and say so.

    A flow that was trained without adapting is left as it is.

    Args:
      flow: a `Flow`.
      x, y: data as `fit` takes them, checked if they are arrays; of a `tf.data` or `PyDataset` the first rows are read.
      method: its name in messages.

    Raises:
      ValueError: arrays have rows outside the support, or the first rows can't be adapted to.
    """
    if is_array(x):
        require_inside(flow, x, y)
    if flow.adapts and not int(tf.convert_to_tensor(flow.adapted)) and _new(flow):  # int() of a variable fails
        _adapt_first(flow, x, y, method)  # under tf.distribute
    if is_array(x) and int(tf.convert_to_tensor(flow.adapted)) and len(x):
        _warn_of_far_columns(flow, _ends(x))


def review(flow: Adaptable, x, history: keras.callbacks.History) -> None:
    """Warns of columns of a data set that are far from the rows adapted to, if the loss suggests any.

    Args:
      flow: the one that was trained.
      x: the data set that it was trained on, read again only if the loss is huge.
      history: of that training.
    """
    losses = history.history.get("loss") or [0.0]
    if is_array(x) or not np.max(losses) > HUGE or _front(flow) is None or not int(tf.convert_to_tensor(flow.adapted)):
        return
    if isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)):
        ends = [_ends(keras.utils.unpack_x_y_sample_weight(batch)[0]) for batch in _batches(x, history.params["steps"])]
        if ends:
            _warn_of_far_columns(flow, _ends(np.concatenate(ends)))


def _ends(x):
    return np.stack([np.min(x, axis=0), np.max(x, axis=0)])


def _batches(x, steps):
    """The batches of one epoch."""
    if isinstance(x, tf.data.Dataset):
        return x.take(steps or -1)
    return (x[i] for i in range(steps or x.num_batches or 0))


def _adapt_first(flow, x, y, method):
    count = int(np.clip(NUMBERS // flow.dims, *ROWS))
    found = None if across_workers(flow.distribute_strategy) else _first_rows(x, y, count)
    if found is None or len(found[0]) < 2:
        warn(
            f"This flow was never adapted, so its first steps may be erratic, and `{method}` can't adapt it here: it "
            "takes arrays, tf.data and PyDatasets of at least 2 rows, in one process. Call `flow.adapt(x)` with a few "
            "hundred examples first; for several workers do so in one process, save the weights and load them in each.",
        )
        return
    try:
        flow.adapt(*found)
    except (TypeError, ValueError) as error:
        if is_array(x):
            raise
        where = f"the first {len(found[0])} rows of the data set, to which `{method}` adapts a new flow"
        raise type(error)(f"In {where}: {error}") from error
    warn(
        f"This flow was not adapted, so `{method}` adapted it to {len(found[0])} rows of its data. Call "
        f"`flow.adapt(x)` before `{method}` to choose them.",
    )


def _new(flow):
    """Whether there is something to adapt, and nothing has been trained yet: all that `adapt` sets starts at 0."""
    layers, optimizer = adaptable(flow), getattr(flow, "optimizer", None)
    if not layers or (optimizer is not None and int(tf.convert_to_tensor(optimizer.iterations))):
        return False
    if not all(layer.trainable for layer in layers):
        return False
    weights = [weight for layer in layers for weight in layer.trainable_weights]
    return not any(_numbers(weight).any() for weight in weights) and not _moved(flow)


def _moved(flow):
    """Whether training has moved a bias, all of which start at 0."""
    biases = [weight for weight in flow.trainable_weights if weight.name == "bias"]
    return any(_numbers(weight).any() for weight in biases)


def _numbers(weight):
    return np.array(tf.convert_to_tensor(weight))  # of a variable it fails under tf.distribute


def _first_rows(x, y, count):
    """(rows, condition or None) as arrays, or None where they can't be read without being consumed."""
    if is_array(x):
        chosen = np.linspace(0, len(x) - 1, min(count, len(x))).astype(int)  # `fit` shuffles arrays
        return np.asarray(x)[chosen], each(lambda part: np.asarray(part)[chosen], y)
    if isinstance(x, tf.data.Dataset):
        batches = iter(x)
    elif isinstance(x, keras.utils.PyDataset):
        batches = (x[i] for i in (range(x.num_batches) if x.num_batches else itertools.count()))
    else:
        return None
    parts, rows = [], 0
    for batch in batches:
        first, second, _ = keras.utils.unpack_x_y_sample_weight(batch)
        parts.append([np.asarray(first), each(np.asarray, second)])
        rows += len(parts[-1][0])
        if rows >= count:
            break
    if not parts:
        return None
    xs, ys = zip(*parts, strict=True)
    whole = None if ys[0] is None else tf.nest.map_structure(lambda *values: np.concatenate(values)[:count], *ys)
    return np.concatenate(xs)[:count], whole


def _warn_of_constant_columns(x, layers):
    least = 0.0 if any(isinstance(layer, Standardize) for layer in layers) else 1.0
    constant = np.flatnonzero(constant_columns(x, least)).tolist()
    if constant:
        warn(
            f"`x` must vary in each column to be adapted to, got columns {constant} that are constant, or nearly: they "
            "keep scale 1. Adapt with rows in which they vary, or leave them out.",
        )


def _warn_of_outliers(flow, x):
    """Warns of columns with a value so large that all others lie within a few float32 steps, and get one density."""
    front = next((part for part in flow.raw.parts[:1] if isinstance(part, Bounds)), None)
    rows = np.asarray(x if front is None else front.encode(x)[0]).astype(np.float64)
    for column, values in enumerate(rows.T):
        some = np.unique(values[np.linspace(0, len(values) - 1, min(ROWS[1], len(values))).astype(int)])
        middle = np.median(some)
        bulk = some[np.abs(some - middle) <= np.median(np.abs(some - middle))]
        far, scale = int(np.abs(values - middle).argmax()), np.ptp(values) or 1.0
        deviation = scale * (values / scale).std()  # the squares of 1e-200 would be 0
        if np.ptp(bulk) < NARROW * deviation and not constant_columns(bulk[:, None]):
            name = flow.columns[column] if flow.columns else column
            warn(
                f"`x` must hold no value so large that it hides all others, got {float(x[far, column]):.6g} in row "
                f"{far} of the {len(values)} rows adapted to, in column {name!r}: after scaling, half of the "
                f"others lie within {NARROW:.1g} deviations, where float32 has too few digits to tell their densities "
                "apart. Remove or repair this row and call `flow.adapt(x, force=True)`, or take the logarithm of "
                "such a column.",
            )


def _front(flow):
    """What gives the deviations of x, in a flow that knows them."""
    front = flow.raw.parts[:2] if isinstance(flow.raw.parts[0], Bounds) else flow.raw.parts[:1]
    return Chain(front) if isinstance(front[-1], Standardize) else None


def _warn_of_far_columns(flow, ends):
    """Warns of columns that hardly vary in the rows adapted to, but do in others: their losses are huge."""
    front = _front(flow)
    if front is None:
        return
    reach = np.abs(front.encode(tf.cast(ends, flow.data_dtype))[0]).max(axis=0)  # these maps are monotonic
    names = flow.columns or range(len(reach))
    far = [f"{name!r} ({size:.2g})" for name, size in zip(names, reach, strict=True) if size > FAR]
    if far:
        more = f" and {len(far) - SHOWN} more" if len(far) > SHOWN else ""
        warn(
            f"`x` must be within {FAR:,.0f} deviations of the rows that this flow was adapted to, got more in columns "
            f"{', '.join(far[:SHOWN])}{more}: they hardly vary in those rows, so losses will be huge. Adapt with rows "
            "in which they vary, `flow.adapt(x, force=True)`, or leave them out."
        )
