"""The optimizer that a recipe asks for: schedule, clipping and moving average."""

from __future__ import annotations

import keras
import tensorflow as tf

from flowzoo.record.recipe import OPTIMIZERS, Recipe
from flowzoo.training.distributed.strategy import summed_first


def learning_rate(recipe: Recipe) -> keras.optimizers.schedules.LearningRateSchedule:
    """The rate as a function of the step: a linear warm-up, then the decay, reaching its end at `recipe.steps`."""
    warmup = recipe.steps - recipe.decay_steps
    end = 1.0 if recipe.decay == "constant" else recipe.final_learning_rate / recipe.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / warmup if warmup else recipe.learning_rate,
        decay_steps=recipe.decay_steps,
        alpha=end,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """The optimizer with schedule, clipping and moving average.

    To be called in the scope of the strategy.
    """
    kind = _averaging(getattr(keras.optimizers, OPTIMIZERS[recipe.optimizer]))
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        kind = summed_first(kind)
    average = {"use_ema": True, "ema_momentum": recipe.ema} if recipe.ema else {}
    return kind(learning_rate(recipe), global_clipnorm=recipe.clip_norm or None, **average)


def _averaging(kind: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
    """A class of optimizers whose moving average starts with little momentum: Keras' is slow to forget the start."""

    class Averaging(kind):
        keeps_finite = True  # as Keras' own: see `models.undone`

        def _update_model_variables_moving_average(self, trainable_variables):
            step = tf.cast(self.iterations, tf.float32)
            momentum = tf.minimum(self.ema_momentum, step / (10.0 + step))
            for weight, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
                average.assign(weight + tf.cast(momentum, weight.dtype) * (average - weight))

    Averaging.__name__ = Averaging.__qualname__ = kind.__name__
    return Averaging
