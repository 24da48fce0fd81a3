"""Zeros and ones, whose probabilities come from the condition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from flowzoo.bases.conditional import GivenNetwork
from flowzoo.core import random
from flowzoo.core.transform import sum_event

if TYPE_CHECKING:
    import tensorflow_probability as tfp


class ConditionalBernoulli(GivenNetwork):
    """Binary x, 1 with probability sigmoid(logits), where logits = network(condition).

    The temperature divides the logits: towards 0 each entry takes its likelier value. For any other x, log p(x) is NaN.

    Args:
      event_shape: shape of one x.
      condition_features: size of the condition.
      network: a built Keras layer, (rows, condition_features) -> (rows, size of x), such as
        `MLP(condition_features, size, [64])`.
      dtype: float32 or float64.
    """

    bits = 1

    @classmethod
    def outputs(cls, event_shape: Sequence[int]) -> int:
        return math.prod(event_shape)

    def mean(self, condition: tf.Tensor | None = None) -> tf.Tensor:
        return tf.sigmoid(self._parameters(condition))

    def distribution(self, condition: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        from tensorflow_probability import distributions as tfd  # takes seconds

        logits = self._parameters(condition)
        return tfd.Independent(tfd.Bernoulli(logits, dtype=logits.dtype), len(self.event_shape))

    def _parameters(self, condition):
        return tf.reshape(self._outputs(condition), [-1, *self.event_shape])

    def _density(self, x, logits):
        x = tf.where((x == 0.0) | (x == 1.0), x, tf.constant(math.nan, x.dtype))
        return -sum_event(tf.nn.sigmoid_cross_entropy_with_logits(x, logits))

    def _drawn(self, seeds, temperature, logits):
        temperature = self._scaled(temperature, tf.ones_like(logits))
        u = tf.maximum(tf.cast(random.uniform(seeds, self.event_shape), logits.dtype), 2.0**-25)  # its log is finite
        # the odds of u are compared, so that a temperature of 0 needs no division
        return tf.cast(temperature * (tf.math.log(u) - tf.math.log1p(-u)) < logits, logits.dtype)
