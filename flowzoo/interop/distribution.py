"""A flow as a TFP distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from flowzoo.core import random
from flowzoo.interop.shapes import as_rows, from_rows, leading_shape

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow

tfd = tfp.distributions


class FlowDistribution(tfd.Distribution):
    """p(x) of a flow, sharing its weights; for `tfd.JointDistribution*`, `tfp.mcmc` and `tfp.vi`.

    `log_prob` takes one conditioner pass and any number of leading dimensions; it does not check for NaN as
    `Flow.log_prob` does, since a sampler may propose anything. The events are in the flow's native units and
    `data_dtype`, as are log-densities of continuous ones: float64 with `standardize` or `bounds`.
    `trainable_variables` are the flow's.

    Args:
      flow: a `Flow`.
      condition: None; a label or (batch,) labels; (features,) or (*batch, features). Its batch is the batch shape.
      validate_args, allow_nan_stats, name: as in TFP.

    Raises:
      TypeError: the labels are no integers.
      ValueError: the condition is missing, unexpected, or of another size.
    """

    def __init__(
        self,
        flow: Flow,
        condition: tf.Tensor | np.ndarray | int | None = None,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "FlowDistribution",
    ):
        parameters = dict(locals())
        if (condition is None) != (not flow.classes and not flow.condition_features):
            raise ValueError(
                f"`condition` must be {_expected(flow)}, got {'None' if condition is None else 'one'}. "
                "Pass it to FlowDistribution(flow, condition)."
            )
        self.flow = flow
        self.condition = None
        if condition is not None:
            self.condition = _checked_condition(flow, condition)
        self._weights = [variable.value for variable in flow.variables]  # tf.Variables, which TFP can see
        continuous = tf.as_dtype(flow.data_dtype).is_floating
        super().__init__(
            dtype=tf.as_dtype(flow.data_dtype),
            reparameterization_type=tfd.FULLY_REPARAMETERIZED if continuous else tfd.NOT_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=allow_nan_stats,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"condition": tfp.util.ParameterProperties(event_ndims=lambda self: 0 if self.flow.classes else 1)}

    def _event_shape(self):
        return tf.TensorShape(self.flow.event_shape)

    def _event_shape_tensor(self):
        return tf.constant(self.flow.event_shape, tf.int32)

    def _batch_shape(self):
        if self.condition is None:
            return tf.TensorShape([])
        return self.condition.shape if self.flow.classes else self.condition.shape[:-1]

    def _batch_shape_tensor(self, **parameters):
        return tf.constant(self._batch_shape().as_list(), tf.int32)

    def _log_prob(self, x):
        leading = leading_shape(x, len(self.flow.event_shape), self._batch_shape())
        rows, word = as_rows(x, leading, self.flow.event_shape), tf.constant(0, tf.uint32)
        log_prob = self.flow._log_prob_graph(rows, self._condition_rows(leading), word, 1)
        log_prob = tf.cast(log_prob, self.dtype) if self.dtype.is_floating else log_prob  # as other distributions do
        return from_rows(log_prob, leading, ())

    def _sample_n(self, n, seed=None):
        leading = tf.concat([[n], self._batch_shape_tensor()], axis=0)
        index = tf.range(tf.reduce_prod(leading))
        seed = tfp.random.sanitize_seed(seed, salt="flowzoo")
        seeds = random.fold_in(tf.broadcast_to(seed, [tf.size(index), 2]), index)
        x = self.flow._sample_graph(seeds, tf.ones_like(index, tf.float32), self._condition_rows(leading))
        return from_rows(x, leading, self.flow.event_shape)

    def _default_event_space_bijector(self):
        return tfp.bijectors.Identity(validate_args=self.validate_args)

    def _condition_rows(self, leading):
        if self.condition is None:
            return None
        return as_rows(self.condition, leading, () if self.flow.classes else (self.flow.condition_features,))


def _checked_condition(flow, condition):
    condition = tf.convert_to_tensor(condition)
    if flow.classes:
        if not condition.dtype.is_integer:
            raise TypeError(f"`condition` must be {_expected(flow)}, got dtype {condition.dtype.name}. Cast it first.")
        return tf.cast(condition, tf.int32)
    if not condition.shape[-1:].is_compatible_with([flow.condition_features]):
        raise ValueError(
            f"`condition` must be {_expected(flow)}, got shape {tuple(condition.shape)}. Its last axis is the features."
        )
    return tf.cast(condition, flow.compute_dtype)


def _expected(flow):
    if flow.classes:
        return f"integer labels 0 ... {flow.classes - 1}"
    return f"(..., {flow.condition_features}) numbers" if flow.condition_features else "None"
