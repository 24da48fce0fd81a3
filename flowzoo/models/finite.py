"""A step whose loss or gradient is not finite: stopped in the graph before it changes anything, and explained."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core.errors import NonFiniteError
from flowzoo.core.warn import warn
from flowzoo.models.accumulation import uneven
from flowzoo.models.support import shown_bounds
from flowzoo.models.undone import broken

MARK = "flowzoo: the loss or a gradient is not finite"
OVERFLOW = (
    "the optimizer's own update overflowed. Load earlier weights, as `ModelCheckpoint` writes them, and lower the "
    "learning rate."
)
ROWS = 5  # of each cause that the error names
CAUSES = ("x", "condition", "weight", "bounds", "log_prob", "loss", "rate", "gradient")


def require(
    model: keras.Model, batch: Sequence, log_prob: tf.Tensor, loss: tf.Tensor, gradients: Sequence = (), rate=0.0
):
    """Stops a step with `MARK` and its causes unless loss, gradients and learning rate are finite in all replicas.

    Whatever the step changes must depend on the result. Where XLA compiles a whole step, it drops the stop.

    Args:
      model: a flow.
      batch: x, condition or None, sample weight or None.
      log_prob: (batch,).
      loss: a scalar.
      gradients: of the loss; None where a weight has none.
      rate: the learning rate, a scalar.

    Returns:
      A scalar bool, True.

    Raises:
      tf.errors.InvalidArgumentError: in the graph; `explained` turns it into an error that users understand.
    """
    squares, rate = _squares(gradients), tf.square(tf.cast(rate, tf.float32))
    finite = _all_finite(loss, squares) & tf.math.is_finite(rate) & ~tf.reduce_any(_wrong_weight(batch[2]))
    finite &= tf.math.is_finite(rate * tf.reduce_sum(squares))  # as a step of plain gradient descent is
    counts = tf.zeros([len(CAUSES)])  # of each cause, in all replicas
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:  # all stop, lest one wait for another's gradient
        bad = [tf.cast(~finite, tf.float32)[None], *_bad(model, batch, log_prob, loss, rate, squares)]
        here = tf.stack([tf.reduce_sum(tf.cast(mask, tf.float32)) for mask in bad])
        wrong, counts = tf.split(tf.distribute.get_replica_context().all_reduce("sum", here), [1, len(CAUSES)])
        finite = wrong[0] == 0

    def stop():
        rows = [tf.where(mask)[:, 0] for mask in _bad(model, batch, log_prob, loss, rate, squares)]
        found = [part for pair in zip(CAUSES, rows, strict=True) for part in pair]
        counted = [tf.cast(part, tf.int32) for part in (counts[:ROWS], counts[ROWS:])]  # as no more are printed
        tf.raw_ops.Assert(condition=False, data=[MARK, *found, *counted], summarize=ROWS)
        return tf.constant(False)

    return tf.cond(finite, lambda: tf.constant(True), stop)


def check(loss: tf.Tensor, gradients: Sequence) -> tf.Tensor:
    """Whether a loss and its gradients are finite, as a scalar bool: the test of `require`, without the stop."""
    return _all_finite(loss, _squares(gradients))


def require_weights(model: keras.Model) -> None:
    """Refuses weights that an optimizer's update, which nothing else checks, made NaN or infinite.

    Raises:
      NonFiniteError: names them.
    """
    if broken := _broken(model):
        raise NonFiniteError(f"{broken} Every loss and gradient was finite: {OVERFLOW}")


@contextlib.contextmanager
def watching_scale(model: keras.Model) -> Iterator[None]:
    """Warns if a `LossScaleOptimizer` skipped all steps made within: it does not warn itself."""
    optimizer = model.optimizer
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    before = int(tf.convert_to_tensor(optimizer.iterations)) if scaled else -1
    yield
    if scaled and int(tf.convert_to_tensor(optimizer.iterations)) == before:
        warn(
            "`LossScaleOptimizer` skipped all steps of this `fit`, as a gradient was not finite at any of its scales. "
            "If the next call does so, too, look at the data and the loss by fitting with its `inner_optimizer`."
        )


@contextlib.contextmanager
def explained(model: keras.Model, what: Callable[[], str]) -> Iterator[None]:
    """Raises `NonFiniteError` for what `require` stopped within, `ValueError` for rows that can't be divided equally.

    Args:
      model: the flow.
      what: gives the start of the sentence: what was stopped.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if said := uneven(str(error)):
            raise ValueError(f"{what()}: {said}") from None
        if (paths := broken(model, str(error))) is not None:
            raise NonFiniteError(
                f"{what()}: the optimizer's own update would make {', '.join(paths)} NaN or infinite, though every "
                "gradient is finite. Use another optimizer, or other hyperparameters of it."
            ) from None
        if MARK not in str(error):
            raise
        raise NonFiniteError(f"{what()}: {_cause(model, str(error))}") from None


def _broken(model):
    """A sentence on trainable weights that are not finite; "" if all are."""
    bad = [weight.path for weight in model.trainable_weights if not np.isfinite(tf.convert_to_tensor(weight)).all()]
    if not bad:
        return ""
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    return f"weights are not finite: {', '.join(bad[:3])}{more}."


def _squares(gradients):
    """The squared norm of each gradient: infinite, too, where an optimizer's own squares would be."""
    values = [g.values if isinstance(g, tf.IndexedSlices) else g for g in gradients if g is not None]
    return 2.0 * tf.stack([tf.zeros([]), *(tf.cast(tf.nn.l2_loss(g), tf.float32) for g in values)])[1:]


def _all_finite(loss, squares):
    return tf.math.is_finite(tf.cast(loss, tf.float32)) & tf.math.is_finite(tf.reduce_sum(squares))


def _bad(model, batch, log_prob, loss, rate, squares):
    """For each of `CAUSES` which rows are bad, or which columns of x ("bounds"), or gradients."""
    x, condition, weight = batch
    return [
        _wrong(x, model.x_space.values, model.x_space.lowest),
        _wrong_condition(condition, model.condition),
        _wrong_weight(weight),
        model.outside_columns(x),
        _wrong(log_prob, 0),
        ~tf.math.is_finite(tf.cast(loss, tf.float32))[None],
        ~tf.math.is_finite(rate)[None],
        ~tf.math.is_finite(squares),
    ]


def _wrong(values, count, lowest=0):
    """Which rows hold anything but the `count` integers from `lowest` on, or with a count of 0, a non-finite number."""
    if values is None:
        return tf.zeros([0], tf.bool)
    values = tf.convert_to_tensor(values)  # eagerly, Keras passes arrays on
    if count:
        whole = tf.cast(values, tf.int64)  # uint64 becomes negative from 2^63 on
        wrong = (whole < lowest) | (whole >= lowest + count)
    else:
        wrong = ~tf.math.is_finite(values) if values.dtype.is_floating else tf.zeros_like(values, tf.bool)
    return tf.reduce_any(wrong, axis=list(range(1, wrong.shape.rank)))


def _wrong_condition(value, condition):
    wrong = [_wrong(part, space.values) for _, part, space in condition.pairs(value)]
    return tf.reduce_any(tf.stack(wrong), axis=0) if wrong else tf.zeros([0], tf.bool)


def _wrong_weight(weight):
    """Which rows have a weight that is not finite and at least 0; a negative one would make its row less likely."""
    if weight is None:
        return tf.zeros([0], tf.bool)
    return _wrong(tf.where(weight < tf.zeros([], weight.dtype), math.nan, tf.cast(weight, tf.float32)), 0)


def _cause(model, message):
    counts = message[message.index(MARK) :]
    rows = {cause: re.search(rf"\[{cause}\] \[([^\]]*)\]", counts) for cause in CAUSES}
    rows = {cause: _listed(found) for cause, found in rows.items()}
    if rows["log_prob"] and (broken := _broken(model)):
        return f"{broken} An earlier step left them so, though its loss and gradients were finite: {OVERFLOW}"
    others = re.search(rf"\[{CAUSES[-1]}\] \[[^\]]*\] \[([^\]]*)\] \[([^\]]*)\]", counts)
    others = f"{others[1]} {others[2]}".split() if others else []
    there = {cause for cause, count in zip(CAUSES, others, strict=False) if count != "0"}
    columns = [int(place) for place in rows["bounds"] if place.isdigit()]
    for cause, sentence in _sentences(model, columns).items():
        if rows[cause] or cause in there:
            if cause == "bounds":
                rows[cause] = rows["log_prob"]
            where = f"rows {', '.join(rows[cause])} of the batch" if rows[cause] else "rows of another replica"
            return sentence.format(where=where)
    names = [weight.path for weight in model.trainable_weights]
    bad = [names[int(place)] for place in rows["gradient"][:3] if place.isdigit() and int(place) < len(names)]
    return (
        f"the gradient of {', '.join(bad) or 'the loss'} is not finite, or its square is not, though the loss is. "
        "Lower the learning rate or clip gradients (`global_clipnorm` of the optimizer)."
    )


def _listed(found):
    """The parts of a vector as TensorFlow prints it, such as "0 1 2..."."""
    return found[1].replace("...", " ...").split() if found else []


def _sentences(model, outside):
    """A sentence per cause, in the order in which one explains the next."""
    space, rate = model.x_space, tf.convert_to_tensor(getattr(model.optimizer, "learning_rate", 0.0))
    data = f"integers outside {space.lowest} ... {space.highest}" if space.values else "NaN or infinity"
    shift = " For a model of fewer bits than the data have, shift them: x >> bits." if space.values else ""
    label = f"labels outside 0 ... {model.condition.labels - 1}" if model.condition.labels else "NaN or infinity"
    if model.condition.named:
        label = "NaN, infinity or integers out of range"
    return {
        "x": f"`x` holds {data} in {{where}}. Remove or repair these rows.{shift}",
        "condition": f"the condition holds {label} in {{where}}. Remove or repair these rows.",
        "weight": "`sample_weight` is NaN, infinite or negative in {where}. Give each row a finite one >= 0.",
        "bounds": "`x` must lie inside the flow's support, got others in {where}; columns that leave their bounds, or "
        f"reach them: {shown_bounds(model, outside) if outside else ''}. Remove these rows or widen the bounds.",
        "log_prob": "log p(x) is not finite in {where}, though x is: values outside the flow's support, or too large "
        "for its dtype, or weights that have diverged. Look at these rows; standardise the data, lower the learning "
        "rate, or clip gradients (`global_clipnorm` of the optimizer).",
        "loss": "the loss is not finite, though log p(x) is in each row. Look at the `loss` of `compile`, and at "
        "sample weights so large that their sums overflow.",
        "rate": f"the learning rate is {float(rate)}, which is not a finite number, or its square is not. Give another "
        "one.",
    }
