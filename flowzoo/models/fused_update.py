"""Keras' optimizers with one operation per variable, so that a step is traced in a fraction of the time.

Keras 3.15 writes Adam as some twenty operations per variable, more than half of a Glow's training step. TensorFlow has
one operation for the same update. The optimizer stays the user's object, with Keras' slots, so old states load.
"""

from __future__ import annotations

import functools

import keras
import tensorflow as tf

SLOTS = {  # of Keras' updates: TensorFlow's operation, the optimizer's slots that it changes, and what else it takes
    keras.optimizers.Adam.update_step: (
        tf.raw_ops.ResourceApplyAdam,
        {"m": "_momentums", "v": "_velocities"},
        ("beta1_power", "beta2_power"),
    ),
    keras.optimizers.Adamax.update_step: (tf.raw_ops.ResourceApplyAdaMax, {"m": "_m", "v": "_u"}, ("beta1_power",)),
}


def fuse(optimizer: keras.optimizers.Optimizer) -> None:
    """Makes Keras' Adam, AdamW or Adamax, or what inherits their update, change each variable by one operation.

    Clipping, moving averages and schedules stay Keras'; the weights agree to rounding. Other optimizers, `amsgrad`
    among them, are left as they are.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a `LossScaleOptimizer`
    fusible = getattr(type(optimizer), "update_step", None) in SLOTS and not getattr(optimizer, "amsgrad", False)
    if fusible and not changed(optimizer):
        optimizer.update_step = functools.partial(_update, optimizer)
        optimizer._backend_update_step = functools.partial(_update_all, optimizer)
        optimizer._apply_weight_decay = functools.partial(_decay_all, optimizer)


def changed(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether somebody gave this optimizer an `update_step` other than its class's."""
    own = vars(optimizer).get("update_step")
    return own is not None and getattr(own, "func", None) is not _update


def _update_all(optimizer, gradients, variables, learning_rate):
    """Passes what all variables share in place of the learning rate; under a strategy, through Keras' own loop."""
    dtype = max((variable.dtype for variable in variables), key=lambda name: tf.as_dtype(name).size)
    step = tf.cast(optimizer.iterations + 1, dtype)
    shared = {"lr": tf.cast(learning_rate, dtype), "epsilon": tf.constant(optimizer.epsilon, dtype)}
    shared |= {"beta1": tf.constant(optimizer.beta_1, dtype), "beta2": tf.constant(optimizer.beta_2, dtype)}
    _, _, powers = SLOTS[type(optimizer).update_step]
    shared |= {power: tf.pow(shared[power.removesuffix("_power")], step) for power in powers}
    if tf.distribute.has_strategy() or optimizer._distribution_strategy is not tf.distribute.get_strategy():
        type(optimizer)._backend_update_step(optimizer, gradients, variables, shared)
        return
    for gradient, variable in zip(gradients, variables, strict=True):  # without an operation for a sum of one
        _update(optimizer, gradient, variable.value if isinstance(variable, keras.Variable) else variable, shared)


def _update(optimizer, gradient, variable, shared):
    """Takes the place of Keras' `update_step`."""
    if isinstance(gradient, tf.IndexedSlices):
        type(optimizer).update_step(optimizer, gradient, variable, shared["lr"])
        return
    operation, slots, _ = SLOTS[type(optimizer).update_step]
    index = optimizer._get_variable_index(variable)
    operation(
        var=variable.handle,
        grad=tf.cast(gradient, variable.dtype),
        **{name: getattr(optimizer, slot)[index].value.handle for name, slot in slots.items()},
        **{name: tf.cast(value, variable.dtype) for name, value in shared.items()},
    )


def _decay_all(optimizer, variables):
    """Keras' weight decay, with the learning rate computed only once."""
    if optimizer.weight_decay is None:
        return
    share = tf.cast(optimizer.learning_rate, tf.float32) * optimizer.weight_decay
    decayed = [variable.value for variable in variables if optimizer._use_weight_decay(variable)]

    def decay(strategy, variables, share):
        for variable in variables:
            strategy.extended.update(variable, _decay, args=(share,), group=False)

    tf.__internal__.distribute.interim.maybe_merge_call(decay, optimizer._distribution_strategy, decayed, share)


def _decay(variable, share):
    variable.assign_sub(variable * tf.cast(share, variable.dtype))
