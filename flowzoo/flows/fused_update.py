"""Keras' optimizers with one operation per variable, so that a step is traced in a fraction of the time.

Keras 3.15 writes Adam as some twenty operations per variable, more than half of a Glow's training step. TensorFlow has
one operation for the same update. The optimizer stays the user's object, with Keras' slots, so old states load.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras
import tensorflow as tf


def fuse(optimizer: keras.optimizers.Optimizer) -> None:
    """Makes Keras' Adam, AdamW or Adamax, or what inherits their update, change each variable by one operation.

    Clipping, moving averages and schedules stay Keras'; the weights agree to rounding. Other optimizers, `amsgrad`
    among them, are left as they are.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a `LossScaleOptimizer`
    update = _operation(optimizer)
    if update is not None:
        optimizer.update_step = functools.partial(update, optimizer)
        optimizer._backend_update_step = functools.partial(_update_all, optimizer)
        optimizer._apply_weight_decay = functools.partial(_decay_all, optimizer)


def _operation(optimizer: keras.optimizers.Optimizer) -> Callable | None:
    of_keras = getattr(type(optimizer), "update_step", None)
    if of_keras is keras.optimizers.Adam.update_step and not optimizer.amsgrad:
        return _adam
    return _adamax if of_keras is keras.optimizers.Adamax.update_step else None


def _update_all(optimizer, gradients, variables, learning_rate):
    """What all variables share takes the place of the learning rate in Keras' own loop, under any strategy."""
    dtype = max((variable.dtype for variable in variables), key=lambda name: tf.as_dtype(name).size)
    betas = [tf.constant(beta, dtype) for beta in (optimizer.beta_1, optimizer.beta_2)]
    step = tf.cast(optimizer.iterations + 1, dtype)
    shared = (
        tf.cast(learning_rate, dtype),
        *(tf.pow(beta, step) for beta in betas),
        *betas,
        tf.constant(optimizer.epsilon, dtype),
    )
    type(optimizer)._backend_update_step(optimizer, gradients, variables, shared)


def _decay_all(optimizer, variables):
    """Keras' weight decay, but for a learning rate that is computed once."""
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


def _adam(optimizer, gradient, variable, shared):
    if isinstance(gradient, tf.IndexedSlices):
        type(optimizer).update_step(optimizer, gradient, variable, shared[0])
        return
    rate, power_1, power_2, beta_1, beta_2, epsilon = (tf.cast(value, variable.dtype) for value in shared)
    index = optimizer._get_variable_index(variable)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[index].value.handle,
        v=optimizer._velocities[index].value.handle,
        beta1_power=power_1,
        beta2_power=power_2,
        lr=rate,
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=tf.cast(gradient, variable.dtype),
    )


def _adamax(optimizer, gradient, variable, shared):
    if isinstance(gradient, tf.IndexedSlices):
        type(optimizer).update_step(optimizer, gradient, variable, shared[0])
        return
    rate, power_1, _, beta_1, beta_2, epsilon = (tf.cast(value, variable.dtype) for value in shared)
    index = optimizer._get_variable_index(variable)
    tf.raw_ops.ResourceApplyAdaMax(
        var=variable.handle,
        m=optimizer._m[index].value.handle,
        v=optimizer._u[index].value.handle,
        beta1_power=power_1,
        lr=rate,
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=tf.cast(gradient, variable.dtype),
    )
