"""An optimizer's update that makes NaN of finite gradients is undone, where the optimizer may do so."""

from __future__ import annotations

import re
from collections.abc import Callable

import keras
import tensorflow as tf

MARK = "flowzoo: the update is not finite"
# whose updates of finite gradients, whose squares are finite too, are finite within `LIMITS`
SOUND = {
    getattr(keras.optimizers, name).update_step
    for name in ("Adadelta", "Adagrad", "Adam", "Adamax", "Lion", "Nadam", "RMSprop", "SGD")
}
LIMITS = {  # of their hyperparameters: the lowest, and what they stay below
    **dict.fromkeys(("beta_1", "beta_2", "momentum", "rho"), (0, 1)),
    **dict.fromkeys(("clipnorm", "clipvalue", "epsilon", "global_clipnorm", "loss_scale_factor"), (1e-12, 1e12)),
    "centered": (0, 1),  # a difference of squares, which rounding makes negative
    "weight_decay": (0, 1e6),
}


def undoing(model: keras.Model, apply: Callable[[], None]) -> None:
    """Calls `apply`; if a trainable weight is not finite then, all is as before and the step stops by `MARK`.

    Keeping what was before costs time and memory, so it is done for other optimizers than `SOUND` only, such as Keras'
    Adafactor, which divides 0 by 0 for masked kernels, and users' own, and for hyperparameters outside `LIMITS`.

    Raises:
      tf.errors.InvalidArgumentError: in the graph; `finite.explained` puts it into words.
    """
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # of a `LossScaleOptimizer`
    if _sound(inner):
        apply()
        return
    trained = [weight.value for weight in model.trainable_weights]
    changed = trained + [variable.value for variable in model.optimizer.variables]
    before = [tf.identity(variable) for variable in changed]
    apply()
    finite = tf.stack([tf.reduce_all(tf.math.is_finite(weight)) for weight in trained])
    sound = tf.reduce_all(finite)

    def put_back(strategy, pairs, sound):
        for variable, old in pairs:
            strategy.extended.update(variable, _put_back, args=(old, sound), group=False)

    pairs = list(zip(changed, before, strict=True))
    strategy = tf.distribute.get_strategy()
    tf.__internal__.distribute.interim.maybe_merge_call(put_back, strategy, pairs, sound)
    bad = tf.cast(tf.where(~finite)[:, 0], tf.int32)
    with tf.control_dependencies([variable.read_value() for variable in changed]):  # which are back by then
        tf.raw_ops.Assert(condition=sound, data=[MARK, bad], summarize=3)


def broken(message: str) -> list[int] | None:
    """The numbers of some trainable weights that `undoing` named within TensorFlow's `message`, if it did."""
    found = re.search(re.escape(MARK) + r"\] \[([^\]]*)\]", message)
    return found and [int(place) for place in found[1].replace("...", "").split()]


def _sound(optimizer):
    values = {name: getattr(optimizer, name, None) for name in LIMITS}
    within = [value is None or LIMITS[name][0] <= value < LIMITS[name][1] for name, value in values.items()]
    return getattr(type(optimizer), "update_step", None) in SOUND and all(within)


def _put_back(variable, old, sound):
    variable.assign(tf.where(sound, variable, tf.cast(old, variable.dtype)))
