"""Base distributions whose parameters come from the condition: the normal ones, and what others share with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from flowzoo.bases.base import Base, normal_log_density, require_condition
from flowzoo.core import random
from flowzoo.core.transform import sum_event

if TYPE_CHECKING:
    import tensorflow_probability as tfp


class GivenCondition(Base):
    """A base whose parameters come from the condition, computed once for both a draw and its density.

    Subclasses implement `_parameters(condition)`, `_density(z, parameters)` and `_drawn(seeds, temperature,
    parameters)`.
    """

    def parameters_of(self, condition: tf.Tensor | None = None) -> Any:
        """What the distribution of each row is made of, such as means and log-scales: tensors of (rows, ...)."""
        return self._parameters(condition)

    def drawn_by(self, parameters: Any, seeds: tf.Tensor) -> tf.Tensor:
        """One z per row of the distributions with these parameters, which may be others than those of a condition."""
        return self._drawn(seeds, tf.ones(tf.shape(seeds)[:1]), parameters)

    def density_by(self, parameters: Any, z: tf.Tensor) -> tf.Tensor:
        """log p(z) in nats under the distributions with these parameters: (rows,)."""
        return self._density(z, parameters)

    def log_prob(self, z: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return self._density(z, self._parameters(condition))

    def sample(self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return self._drawn(seeds, temperature, self._parameters(condition))

    def sample_with_log_prob(
        self, seeds: tf.Tensor, temperature: tf.Tensor, condition: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._drawn_with_density(seeds, temperature, self._parameters(condition))

    def draws_with_log_prob(
        self,
        seeds: tf.Tensor,
        count: int,
        condition: tf.Tensor | None = None,
        through: Callable[[tf.Tensor], tf.Tensor] | None = None,
        fixed: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Several draws for each row, whose parameters are computed once, and the log-densities of what was drawn.

        Args:
          seeds: (rows * count, 2) int32, those of a row one after the other.
          count: draws for each row.
          condition: (rows, ...).
          through: takes z before anything else does, to change its gradient.
          fixed: gradients of the log-densities reach the parameters by way of z only (Roeder et al. 2017, Sticking the
            landing, arXiv:1703.09194).

        Returns:
          z: (rows * count, *event_shape), and log-densities: (rows * count,) in nats.
        """
        parameters = tf.nest.map_structure(lambda one: tf.repeat(one, count, axis=0), self._parameters(condition))
        one = tf.ones(tf.shape(seeds)[:1])
        if through is None and not fixed:
            return self._drawn_with_density(seeds, one, parameters)
        z = self._drawn(seeds, one, parameters)
        if through is not None:
            z = through(z)
        return z, self._density(z, self._fixed(parameters) if fixed else parameters)

    def _fixed(self, parameters):
        return tf.nest.map_structure(tf.stop_gradient, parameters)

    def _drawn_with_density(self, seeds, temperature, parameters):
        z = self._drawn(seeds, temperature, parameters)
        return z, self._density(z, parameters)


class GivenNetwork(GivenCondition):
    """A base whose parameters are a network's output; the arguments are those of `ConditionalNormal`."""

    condition_axes = (1,)  # how many axes the condition of one example may have

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_features: int,
        network: keras.layers.Layer,
        *,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        if not network.built:
            raise ValueError("`network` must be built, got one that is not. Call `network.build((None, features))`.")
        self.condition_features, self.network = int(condition_features), network

    @classmethod
    def outputs(cls, event_shape: Sequence[int]) -> int:
        """How many numbers the network gives for each row."""
        raise NotImplementedError(f"{cls.__name__} must implement `outputs`.")

    def _outputs(self, condition):
        """The network's output, (rows, outputs), NaN in rows whose condition is not finite."""
        condition = require_condition(condition, self.condition_features, self)
        known = tf.reduce_all(tf.math.is_finite(condition), axis=1, keepdims=True)  # a fused relu swallows NaN
        found = tf.cast(self.network(condition), self.compute_dtype)
        return tf.where(known, found, tf.constant(math.nan, self.compute_dtype))


class _Normal(GivenCondition):
    """z ~ N(loc, exp(log_scale)^2), parameters being loc and log_scale, (rows, *event_shape) each."""

    def mean(self, condition: tf.Tensor | None = None) -> tf.Tensor:
        return self._parameters(condition)[0]

    def distribution(self, condition: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        from tensorflow_probability import distributions as tfd  # takes seconds

        loc, log_scale = self._parameters(condition)
        return tfd.Independent(tfd.Normal(loc, tf.exp(log_scale)), len(self.event_shape))

    def _density(self, z, parameters):
        return sum_event(normal_log_density(z, *parameters))

    def _drawn(self, seeds, temperature, parameters):
        loc, log_scale = parameters
        return loc + tf.exp(log_scale) * self._scaled(temperature, random.normal(seeds, self.event_shape))


class ClassConditional(_Normal):
    """z ~ N(loc_c, exp(log_scale_c)^2) for class c, both learned, starting as the standard normal for each class.

    The temperature multiplies the standard deviation.

    Args:
      event_shape: shape of one z.
      classes: their number in the flow, which passes labels as one-hot vectors.
      dtype: float32 or float64.
    """

    def __init__(self, event_shape: Sequence[int], classes: int, *, dtype: str = "float32", name: str | None = None):
        super().__init__(event_shape, dtype=dtype, name=name)
        if classes < 1:
            raise ValueError(f"`classes` must be at least 1, got {classes}.")
        self.classes = int(classes)
        shape = (self.classes, math.prod(self.event_shape))
        self.loc = self.add_weight(shape=shape, initializer="zeros", name="loc")
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")

    def _parameters(self, condition):
        one_hot = require_condition(condition, self.classes, self)
        return [tf.reshape(one_hot @ table, [-1, *self.event_shape]) for table in (self.loc, self.log_scale)]


class ConditionalNormal(GivenNetwork, _Normal):
    """z ~ N(loc, exp(log_scale)^2) with (loc, log_scale) = network(condition).

    The temperature multiplies the standard deviation.

    Args:
      event_shape: shape of one z.
      condition_features: size of the condition.
      network: a built Keras layer, (rows, condition_features) -> (rows, 2 * size of z), such as
        `MLP(condition_features, 2 * size, [64])`.
      bound: log-scales lie within (-bound, bound).
      dtype: float32 or float64.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_features: int,
        network: keras.layers.Layer,
        *,
        bound: float = 5.0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, condition_features, network, dtype=dtype, name=name)
        if not bound > 0.0:
            raise ValueError(f"`bound` must be positive, got {bound}.")
        self.bound = float(bound)

    @classmethod
    def outputs(cls, event_shape: Sequence[int]) -> int:
        return 2 * math.prod(event_shape)

    def _parameters(self, condition):
        return self._normal(self._outputs(condition))

    def _normal(self, outputs):
        """loc and log_scale, of a network's (rows, 2 * size)."""
        loc, raw = tf.unstack(tf.reshape(outputs, [-1, 2, *self.event_shape]), axis=1)
        return loc, self.bound * tf.tanh(raw / self.bound)
