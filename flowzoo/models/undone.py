"""An optimizer's update that makes NaN of finite gradients is undone, where the optimizer may do so."""

from __future__ import annotations

import re
from collections.abc import Callable

import keras
import tensorflow as tf

from flowzoo.models.fused_update import changed

MARK = "flowzoo: the update is not finite"
# optimizers whose updates are finite, within `LIMITS`, if gradients and their squares are; subclasses may do more
SOUND = {
    getattr(keras.optimizers, name)
    for name in ("Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Nadam", "RMSprop", "SGD")
}
SHARE = (0, 1 - 1e-6)  # beyond, 1 minus it may be 0 in float32
LIMITS = {  # of their hyperparameters: the lowest, and what they stay below
    **dict.fromkeys(("beta_1", "beta_2", "ema_momentum", "momentum", "rho"), SHARE),
    **dict.fromkeys(("clipnorm", "clipvalue", "epsilon", "global_clipnorm", "loss_scale_factor"), (1e-12, 1e12)),
    "centered": (0, 1),  # a difference of squares, which rounding makes negative
    "initial_accumulator_value": (0, 1e12),
    "weight_decay": (0, 1e6),
}


def undoing(model: keras.Model, apply: Callable[[], None]) -> None:
    """Calls `apply`; if it makes a weight or a slot NaN or infinite, all are restored and `MARK` stops the step.

    Keeping the old values costs time and memory, so it is done only for optimizers that are not `SOUND`, such as Keras'
    Adafactor, which divides 0 by 0 for masked kernels, and users' own unless they state `keeps_finite = True`; and for
    hyperparameters outside `LIMITS`.

    Raises:
      tf.errors.InvalidArgumentError: in the graph; `finite.explained` turns it into an error that users understand.
    """
    if _sound(model.optimizer):
        apply()
        return
    variables = [variable.value for variable in _variables(model)]
    before = [tf.identity(variable) for variable in variables]
    apply()
    pairs = list(zip(variables, before, strict=True))
    finite = tf.stack([_finite(variable) | ~_finite(old) for variable, old in pairs])
    sound = tf.reduce_all(finite)

    def put_back(strategy, pairs, sound):
        for variable, old in pairs:
            strategy.extended.update(variable, _put_back, args=(old, sound), group=False)

    strategy = tf.distribute.get_strategy()
    tf.__internal__.distribute.interim.maybe_merge_call(put_back, strategy, pairs, sound)
    bad = tf.cast(tf.where(~finite)[:, 0], tf.int32)
    with tf.control_dependencies([variable.read_value() for variable in variables]):  # which are restored by then
        tf.raw_ops.Assert(condition=sound, data=[MARK, bad], summarize=3)


def broken(model: keras.Model, message: str) -> list[str] | None:
    """The paths of some weights and slots that `undoing` named within TensorFlow's `message`, if it did."""
    found = re.search(re.escape(MARK) + r"\] \[([^\]]*)\]", message)
    if found is None:
        return None
    variables = _variables(model)
    return [variables[int(place)].path for place in found[1].replace("...", "").split()]


def _variables(model):
    return [*model.trainable_weights, *model.optimizer.variables]


def _sound(optimizer):
    values = {name: getattr(optimizer, name, None) for name in LIMITS}
    within = [value is None or LIMITS[name][0] <= value < LIMITS[name][1] for name, value in values.items()]
    trusted = type(optimizer) in SOUND or getattr(optimizer, "keeps_finite", False)
    return trusted and not changed(optimizer) and all(within)


def _finite(value):
    return tf.reduce_all(tf.math.is_finite(value)) if value.dtype.is_floating else tf.constant(True)


def _put_back(variable, old, sound):
    variable.assign(tf.where(sound, variable, tf.cast(old, variable.dtype)))
