"""A flow as a TFP distribution."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from flowzoo.core import random
from flowzoo.interop.shapes import as_rows, from_rows, leading_shape
from flowzoo.models import forked

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow

tfd = tfp.distributions


class FlowDistribution(tfd.Distribution):
    """p(x) of a flow, sharing its weights; for `tfd.JointDistribution*`, `tfp.mcmc` and `tfp.vi`.

    `log_prob` takes one pass of `encode` and any number of leading dimensions; it does not check for NaN as
    `Flow.log_prob` does, since a sampler may propose anything. The events are in the flow's native units and
    `data_dtype`, as are log-densities of continuous ones: float64 with `standardize` or `bounds`.
    `trainable_variables` are the flow's.

    Args:
      flow: a `Flow`.
      condition: None; a label or (*batch) labels; (*batch, features), or whatever Space the flow's condition has; or a
        dict of such by name. Its batch is the batch shape.
      validate_args, allow_nan_stats, name: as in TFP.

    Raises:
      TypeError: the labels are not integers.
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
        if (condition is None) == bool(flow.condition):
            expected = ", ".join(space.described("...") for space in flow.condition.spaces.values()) or "None"
            raise ValueError(
                f"`condition` must be {expected}, got {'None' if condition is None else 'one'}. "
                "Pass it to FlowDistribution(flow, condition)."
            )
        self.flow = flow
        self.condition = flow.condition.map(_checked, condition)
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
        return {"condition": tfp.util.ParameterProperties(event_ndims=lambda self: _axes(self.flow.condition))}

    def _event_shape(self):
        return tf.TensorShape(self.flow.event_shape)

    def _event_shape_tensor(self):
        return tf.constant(self.flow.event_shape, tf.int32)

    def _batch_shape(self):
        shapes = [tf.TensorShape([])]
        self.flow.condition.map(lambda part, space: shapes.append(_leading(part, space)), self.condition)
        return functools.reduce(tf.broadcast_static_shape, shapes)

    def _batch_shape_tensor(self, **parameters):
        return tf.constant(self._batch_shape().as_list(), tf.int32)

    def _log_prob(self, x):
        forked.refuse()
        leading = leading_shape(x, len(self.flow.event_shape), self._batch_shape())
        rows, seed = as_rows(x, leading, self.flow.event_shape), tf.constant(0, tf.uint32)
        log_prob = self.flow.raw.log_prob_graph(rows, self._condition_rows(leading), seed, 1)
        log_prob = tf.cast(log_prob, self.dtype) if self.dtype.is_floating else log_prob  # as other distributions do
        return from_rows(log_prob, leading, ())

    def _sample_n(self, n, seed=None):
        forked.refuse()
        leading = tf.concat([[n], self._batch_shape_tensor()], axis=0)
        index = tf.range(tf.reduce_prod(leading))
        seed = tfp.random.sanitize_seed(seed, salt="flowzoo")
        seeds = random.fold_in(tf.broadcast_to(seed, [tf.size(index), 2]), index)
        x = self.flow.raw.sample_graph(seeds, tf.ones_like(index, tf.float32), self._condition_rows(leading))
        return from_rows(x, leading, self.flow.event_shape)

    def _default_event_space_bijector(self):
        return tfp.bijectors.Identity(validate_args=self.validate_args)

    def _condition_rows(self, leading):
        def rows(part, space):
            return as_rows(part, leading, part.shape[len(_leading(part, space)) :])

        return self.flow.condition.map(rows, self.condition)


def _leading(value, space):
    return value.shape[: value.shape.rank - len(space.shape)]


def _axes(condition):
    """How many axes each value of a condition has, in the form of the condition."""
    return condition.whole({name: len(space.shape) for name, space in condition.spaces.items()})


def _checked(value, space):
    value = tf.convert_to_tensor(value)
    if space.values and not value.dtype.is_integer:
        raise TypeError(f"`condition` must be {space.described('...')}, got dtype {value.dtype.name}. Cast it first.")
    shape = value.shape
    if shape.rank is not None and not space.fits(shape[shape.rank - len(space.shape) :]):
        raise ValueError(
            f"`condition` must be {space.described('...')}, got shape {tuple(shape)}. Its last axis is the features."
        )
    return tf.cast(value, space.dtype)
