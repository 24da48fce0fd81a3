"""Any distribution of TensorFlow Probability as base."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from flowzoo.bases.base import Base

if TYPE_CHECKING:
    import tensorflow_probability as tfp


class FromDistribution(Base):
    """z ~ a `tfd.Distribution` with constant parameters.

    The temperature multiplies the distance from the mean, or from 0 where TFP knows no finite mean, and so the standard
    deviation. TFP's random numbers differ under XLA, and what it draws by rejection (gamma, beta, Student's t) has no
    XLA kernel on CPU; flows sample without XLA.

    Outside the support, or at its edge, log p(z) is -inf with gradient 0, also where TFP's own formula gives a number
    or NaN. The distribution's `experimental_default_event_space_bijector` says what the support is.

    Args:
      distribution: of real numbers, with batch shape (); its event shape is that of z. Three normals, say, are one
        distribution as `tfd.Sample(tfd.Normal(0.0, 1.0), (3,))`.

    Raises:
      TypeError: it is not a distribution, has variables (which no checkpoint would hold), or is not of real numbers.
      ValueError: it has a batch shape.
    """

    def __init__(self, distribution: tfp.distributions.Distribution, *, name: str | None = None):
        from tensorflow_probability import distributions as tfd

        if not isinstance(distribution, tfd.Distribution):
            raise TypeError(f"`distribution` must be a tfd.Distribution, got {type(distribution).__name__}.")
        if distribution.variables:
            raise TypeError(
                f"`distribution` must have no variables, got {len(distribution.variables)} in {distribution.name}: "
                "neither fit nor checkpoints would see them. Write a flowzoo Base, which owns its weights."
            )
        dtype = tf.as_dtype(distribution.dtype)
        if not dtype.is_floating:
            raise TypeError(f"`distribution` must be of float32 or float64, got {dtype.name}.")
        if distribution.batch_shape.rank != 0:
            raise ValueError(
                f"`distribution` must have batch shape (), got {distribution.batch_shape}. Make the batch part of the "
                "event with tfd.Independent or tfd.Sample."
            )
        super().__init__(distribution.event_shape, dtype=dtype.name, name=name)
        self.distribution = distribution
        self.centre = _finite_mean(distribution, self.event_shape)
        self.space = _space(distribution)

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        axes = list(range(1, z.shape.rank))
        known = tf.reduce_all(~tf.math.is_nan(z), axis=axes)
        outside = tf.zeros_like(known)
        if self.space is not None:
            y = self.space.inverse(z)
            outside = known & ~tf.reduce_all(tf.math.is_finite(y), axis=axes)
            within = tf.identity(self.space.forward(tf.zeros_like(y)))  # finite, so that gradients are
            z = tf.where(tf.reshape(outside, [-1] + [1] * len(axes)), within, z)
        log_prob = self.distribution.log_prob(z)
        outside |= known & tf.math.is_nan(log_prob)
        return tf.where(outside, tf.constant(-math.inf, z.dtype), log_prob)

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        shape = tf.TensorSpec(self.event_shape, self.compute_dtype)
        z = tf.map_fn(lambda seed: self.distribution.sample(seed=seed), seeds, fn_output_signature=shape)
        return self.centre + self._scaled(temperature, z - self.centre)


def _space(distribution: tfp.distributions.Distribution) -> tfp.bijectors.Bijector | None:
    try:
        return distribution.experimental_default_event_space_bijector()
    except NotImplementedError:
        return None


def _finite_mean(distribution: tfp.distributions.Distribution, shape: tuple[int, ...]) -> np.ndarray:
    try:
        mean = np.broadcast_to(distribution.mean().numpy(), shape)
    except NotImplementedError:
        return np.zeros(shape, distribution.dtype.as_numpy_dtype)
    return np.where(np.isfinite(mean), mean, 0.0).astype(mean.dtype)
