"""A transform as a TFP bijector, and a TFP bijector as a transform.

TFP's `forward` is flowzoo's `decode`: both go from the base distribution to the data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from flowzoo.core.transform import Bijector, Transform
from flowzoo.interop.shapes import as_rows, from_rows, leading_shape
from flowzoo.models import forked

tfb = tfp.bijectors


class FromTFP(Bijector):
    """z = bijector.inverse(x) for a TFP bijector without variables.

    A row outside the range of `forward`, or at its edge, where the inverse or its log_det is not finite, has log_det
    -inf and a meaningless z; its gradients are 0.

    Args:
      bijector: a `tfb.Bijector`, e.g. `tfb.Softplus()`; its parameters are constants.
      event_shape: shape of one x, the output of its `forward`.

    Raises:
      TypeError: it is not a bijector, has variables (which no checkpoint would hold), or another dtype.
    """

    reversible = False  # a bijector that saturates loses digits
    bounded = True  # if its range is

    def __init__(
        self, bijector: tfb.Bijector, event_shape: Sequence[int], *, dtype: str = "float32", name: str | None = None
    ):
        if not isinstance(bijector, tfb.Bijector):
            raise TypeError(f"`bijector` must be a tfb.Bijector, got {type(bijector).__name__}.")
        if bijector.variables:
            raise TypeError(
                f"`bijector` must have no variables, got {len(bijector.variables)} in {bijector.name}: neither fit nor "
                "checkpoints would see them. Write a flowzoo Bijector, which owns its weights."
            )
        if bijector.dtype is not None and tf.as_dtype(bijector.dtype) != tf.as_dtype(dtype):
            raise TypeError(f"`bijector` must be of dtype {dtype}, got {tf.as_dtype(bijector.dtype).name}.")
        super().__init__(event_shape, bijector.inverse_event_shape(event_shape), dtype=dtype, name=name)
        self.bijector = bijector

    def _encode(self, x, condition):
        z, log_det = self._inverse(x)
        finite = tf.math.is_finite(log_det) & _all_of_row(tf.math.is_finite(z))
        outside = ~finite & _all_of_row(~tf.math.is_nan(x))
        z, log_det = self._inverse(_replaced(x, outside, self.bijector.forward(tf.zeros_like(z))))  # finite gradients
        return z, tf.where(outside, tf.constant(-math.inf, log_det.dtype), log_det)

    def _decode(self, z, condition):
        log_det = self.bijector.forward_log_det_jacobian(z, event_ndims=len(self.latent_shape))
        # identity: TFP remembers its results, and would give x back for z whatever its inverse computes.
        return tf.identity(self.bijector.forward(z)), self._per_row(log_det, z)

    def _inverse(self, x):
        log_det = self.bijector.inverse_log_det_jacobian(x, event_ndims=len(self.event_shape))
        return tf.identity(self.bijector.inverse(x)), self._per_row(log_det, x)

    def _per_row(self, log_det, like):
        return tf.broadcast_to(tf.cast(log_det, self.compute_dtype), tf.shape(like)[:1])


def _all_of_row(values):
    return tf.reduce_all(values, axis=list(range(1, values.shape.rank)))


def _replaced(x, rows, others):
    return tf.where(tf.reshape(rows, [-1] + [1] * (x.shape.rank - 1)), others, x)


def as_tfp(
    transform: Transform,
    condition: tf.Tensor | np.ndarray | None = None,
    name: str | None = None,
    *,
    places: int = 0,
) -> tfb.Bijector:
    """A `tfb.Bijector` that shares the weights of a transform: its forward is decode, its inverse encode.

    It is never cached: TFP's cache would give stale results after a weight update. Its `trainable_variables` are
    those of the transform. TFP knows one dtype for both sides: that of the data, float64 for a flow with `standardize`
    or `bounds`, in which it takes and gives latents and log-determinants, too.

    Args:
      transform: an exact `Transform`.
      condition: None, (features,) for all rows, or (*batch, features); what the conditioners take, so labels one-hot.
      name: of the bijector.
      places: number of axes before the features of a condition: 1 for a sequence, 2 for an image.

    Raises:
      TypeError: it is not a transform.
      ValueError: it draws noise or is not a bijection.
    """
    if not isinstance(transform, Transform):
        raise TypeError(
            f"`transform` must be a flowzoo Transform, got {type(transform).__name__}. Use `flow.bijector`."
        )
    if not transform.bijective:
        raise ValueError(
            f"`transform` must be an exact bijection, got {type(transform).__name__} of kind {transform.kind!r}, "
            "one that draws noise or is not invertible. `flow.bijector` is the part of a flow after dequantization."
        )
    return _View(transform, condition, places, name or type(transform).__name__)


class _Uncached:
    """Stands for TFP's cache and remembers nothing."""

    def __init__(self, bijector=None):
        self.bijector = bijector

    def __get__(self, bijector, owner=None):
        return _Uncached(bijector)

    def forward(self, x, **kwargs):
        return self.bijector._forward(x, **kwargs)

    def inverse(self, y, **kwargs):
        return self.bijector._inverse(y, **kwargs)

    def forward_attributes(self, x, **kwargs):
        return {}

    inverse_attributes = forward_attributes


class _View(tfb.Bijector):
    _cache = _Uncached()

    def __init__(self, transform, condition=None, places=0, name=None):
        parameters = dict(locals())
        self.transform, self.places = transform, places
        self.condition = None if condition is None else tf.cast(condition, transform.compute_dtype)
        self._weights = [variable.value for variable in transform.variables]  # tf.Variables, which TFP can see
        super().__init__(
            forward_min_event_ndims=len(transform.latent_shape),
            inverse_min_event_ndims=len(transform.event_shape),
            dtype=tf.as_dtype(transform.event_dtype),
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        return {"condition": tfp.util.ParameterProperties(event_ndims=lambda view, _: 1 + view.places)}

    def _forward(self, z):
        return self._mapped(self.transform.decode, z, self.transform.latent_shape, self.transform.event_shape)[0]

    def _inverse(self, x):
        return self._mapped(self.transform.encode, x, self.transform.event_shape, self.transform.latent_shape)[0]

    def _forward_log_det_jacobian(self, z):
        return self._mapped(self.transform.decode, z, self.transform.latent_shape, self.transform.event_shape)[1]

    def _inverse_log_det_jacobian(self, x):
        return self._mapped(self.transform.encode, x, self.transform.event_shape, self.transform.latent_shape)[1]

    def _mapped(self, direction, value, from_shape, to_shape):
        forked.refuse()
        condition = self.condition
        batch_shape = () if condition is None else condition.shape[: -1 - self.places]
        leading = leading_shape(value, len(from_shape), batch_shape)
        if condition is not None:
            condition = as_rows(condition, leading, condition.shape[-1 - self.places :])
        result, log_det = direction(as_rows(value, leading, from_shape), condition)
        result, log_det = tf.cast(result, self.dtype), tf.cast(log_det, self.dtype)
        return from_rows(result, leading, to_shape), from_rows(log_det, leading, ())

    def _forward_event_shape(self, shape):
        return _moved(shape, self.transform.latent_shape, self.transform.event_shape)

    def _inverse_event_shape(self, shape):
        return _moved(shape, self.transform.event_shape, self.transform.latent_shape)

    def _forward_event_shape_tensor(self, shape):
        return _moved_tensor(shape, self.transform.latent_shape, self.transform.event_shape)

    def _inverse_event_shape_tensor(self, shape):
        return _moved_tensor(shape, self.transform.event_shape, self.transform.latent_shape)


def _moved(shape, from_shape, to_shape):
    rank = shape.rank - len(from_shape)
    if not shape[rank:].is_compatible_with(from_shape):
        raise ValueError(f"The event must have shape {from_shape}, got {tuple(shape)}.")
    return shape[:rank].concatenate(to_shape)


def _moved_tensor(shape, from_shape, to_shape):
    rank = shape.shape[0] - len(from_shape)
    return tf.concat([shape[:rank], tf.constant(to_shape, shape.dtype)], axis=0)
