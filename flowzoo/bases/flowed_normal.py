"""The distribution of a conditional flow for TensorFlow Probability."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp

from flowzoo.bases.base import normal_log_density
from flowzoo.core.transform import Transform

tfd = tfp.distributions


class FlowedNormal(tfd.Distribution):
    """z = transform.decode(u, condition) for u ~ N(loc, exp(log_scale)^2).

    `experimental_sample_and_log_prob` takes one pass of decode; `log_prob` one of encode.

    Args:
      transform: an exact bijection of z.
      loc, log_scale: (rows, features).
      condition: of the transform, (rows, size).
      average: (transform, loc, log_scale, condition) -> the mean, (rows, features).
    """

    def __init__(
        self,
        transform: Transform,
        loc: tf.Tensor,
        log_scale: tf.Tensor,
        condition: tf.Tensor,
        average: Callable[..., tf.Tensor],
        name: str = "FlowedNormal",
    ):
        parameters = dict(locals())
        self.transform, self.loc, self.log_scale, self.condition = transform, loc, log_scale, condition
        self.average = average
        self._weights = [variable.value for variable in transform.variables]  # tf.Variables, which TFP can see
        super().__init__(
            dtype=loc.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        properties = tfp.util.ParameterProperties
        return {name: properties(event_ndims=1) for name in ("loc", "log_scale", "condition")}

    def _event_shape(self):
        return self.loc.shape[-1:]

    def _event_shape_tensor(self):
        return tf.shape(self.loc)[-1:]

    def _batch_shape(self):
        return self.loc.shape[:-1]

    def _batch_shape_tensor(self, **parameters):
        return tf.shape(self.loc)[:-1]

    def _mean(self):
        rows = (tf.reshape(one, [-1, one.shape[-1]]) for one in (self.loc, self.log_scale, self.condition))
        return tf.reshape(self.average(self.transform, *rows), tf.shape(self.loc))

    def _sample_n(self, n, seed=None):
        return self._sample_and_log_prob([n], seed)[0]

    def _sample_and_log_prob(self, sample_shape, seed):
        shape = tf.concat([sample_shape, tf.shape(self.loc)], axis=0)
        u = self.loc + tf.exp(self.log_scale) * tf.random.stateless_normal(
            shape, tfp.random.sanitize_seed(seed), dtype=self.dtype
        )
        z, log_det = self._rowwise(self.transform.decode, u)
        return z, self._normal(u) - log_det

    def _log_prob(self, z):
        u, log_det = self._rowwise(self.transform.encode, z)
        return self._normal(u) + log_det

    def _normal(self, u):
        density = normal_log_density(u, self.loc, self.log_scale)
        return tf.reduce_sum(density, axis=-1)

    def _rowwise(self, direction, value):
        """`direction` of values (..., rows, features), and log_dets (..., rows)."""
        value = tf.broadcast_to(value, tf.broadcast_dynamic_shape(tf.shape(value), tf.shape(self.loc)))
        leading = tf.shape(value)[:-1]
        condition = tf.broadcast_to(self.condition, tf.concat([leading, tf.shape(self.condition)[-1:]], axis=0))
        rows, condition = (tf.reshape(one, [-1, one.shape[-1]]) for one in (value, condition))
        found, log_det = direction(rows, condition)
        return tf.reshape(found, tf.shape(value)), tf.reshape(log_det, leading)

    def _default_event_space_bijector(self):
        return tfp.bijectors.Identity(validate_args=self.validate_args)
