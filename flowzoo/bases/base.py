"""The contract of base distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from flowzoo.core.limits import Counted

if TYPE_CHECKING:
    import tensorflow_probability as tfp


class Base(Counted):
    """A distribution of the latent z, with its weights, if any, built by the constructor.

    Subclasses implement `log_prob` and `sample`. Both work row by row, so that no row affects another, and use nothing
    that XLA on CPU lacks.

    Attributes:
      bits: z holds integers 0 ... 2^bits - 1; 0 for real numbers.
      on_sphere: z lies on the unit sphere in R^m, and log p(z) is with respect to its surface.

    Args:
      event_shape: shape of one z.
      dtype: float32 or float64.
      name: Keras name.
    """

    bits = 0
    on_sphere = False

    def __init__(self, event_shape: Sequence[int], *, dtype: str = "float32", name: str | None = None):
        super().__init__(dtype=dtype, name=name)
        if self.compute_dtype not in ("float32", "float64"):
            raise ValueError(f"`dtype` of a base must be float32 or float64, got {dtype!r}.")
        self.event_shape = tuple(int(n) for n in event_shape)
        self.built = True

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """log p(z) in nats: z (batch, *event_shape), condition as the conditioners take it -> (batch,)."""
        raise NotImplementedError(f"{type(self).__name__} must implement `log_prob`.")

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """One z per row: seeds (rows, 2) int32, temperature (rows,) -> (rows, *event_shape).

        The temperature is a scale, as the class says; 1 samples from the distribution.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `sample`.")

    def sample_with_log_prob(
        self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """`sample`, and `log_prob` of what it drew."""
        z = self.sample(seeds, temperature, condition)
        return z, self.log_prob(z, condition)

    def mean(self, condition: tf.Tensor | None = None) -> tf.Tensor:
        """E[z | condition]: (rows, *event_shape)."""
        raise NotImplementedError(f"{type(self).__name__} must implement `mean`.")

    def distribution(self, condition: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        """p(z | condition) for TensorFlow Probability, of batch shape (rows,); p(z) without a condition, of ()."""
        raise NotImplementedError(f"{type(self).__name__} must implement `distribution`.")

    def _scaled(self, temperature: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """temperature (rows,) times values (rows, *event_shape), in the dtype of the base."""
        temperature = tf.reshape(tf.cast(temperature, self.compute_dtype), [-1] + [1] * len(self.event_shape))
        return temperature * tf.cast(values, self.compute_dtype)


def normal_log_density(z: tf.Tensor, loc: tf.Tensor, log_scale: tf.Tensor) -> tf.Tensor:
    """log N(z; loc, exp(log_scale)^2) of each entry, in nats."""
    return -0.5 * (tf.square((z - loc) * tf.exp(-log_scale)) + math.log(2.0 * math.pi)) - log_scale


def require_condition(condition: tf.Tensor | None, features: int, base: Base) -> tf.Tensor:
    """The condition (rows, features), or a ValueError if it is missing or of another size."""
    if condition is None or condition.shape.rank != 2 or condition.shape[1] != features:
        got = "None" if condition is None else tuple(condition.shape)
        raise ValueError(
            f"{type(base).__name__}: `condition` must have shape (batch, {features}), got {got}. Build the flow with "
            "`classes` or `condition_features` of that size."
        )
    return tf.cast(condition, base.compute_dtype)
