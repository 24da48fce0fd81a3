"""Composition and inversion of transforms."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.bijectors import backprop, shared
from flowzoo.core.context import Context, check_context
from flowzoo.core.transform import Bijector, Transform, constant_log_det, decode_in_turn, encode_in_turn


class Chain(Transform):
    """z = f_n(... f_1(x)): the transforms in the order of encode, first the one nearest to the data.

    Args:
      transforms: non-empty list whose shapes fit: each `latent_shape` is the next `event_shape`. Those nearest to the
        data may be of float64 where the others are of float32: x is then float64, z and log_det are float32, and
        log_dets are summed in float64.

    Raises:
      TypeError: an entry is not a `Transform`, or they are of different dtypes otherwise.
      ValueError: the list is empty or two neighbours do not fit.
    """

    composite = manages_memory = reversible = takes_context = True

    def __init__(self, transforms: Sequence[Transform], *, name: str | None = None):
        transforms = list(transforms)
        if not transforms:
            raise ValueError("`transforms` must hold at least one transform, got an empty list.")
        dtype = common_dtype(transforms, "transforms", but_first="float64")
        for first, second in itertools.pairwise(transforms):
            if first.latent_shape != second.event_shape:
                raise ValueError(
                    f"{type(second).__name__} must take what {type(first).__name__} gives: expected event_shape "
                    f"{first.latent_shape}, got {second.event_shape}. Insert a reshaping transform between them."
                )
            if first.on_sphere:
                raise ValueError(
                    f"{type(first).__name__}, whose z lies on the unit sphere, must be the last transform, got "
                    f"{type(second).__name__} after it: its log_det would not be that of a map of the sphere."
                )
        shapes = transforms[0].event_shape, transforms[-1].latent_shape
        super().__init__(*shapes, parts=transforms, dtype=dtype, name=name)
        self.transforms, self.on_sphere = transforms, transforms[-1].on_sphere

    @property
    def takes_integers(self) -> bool:
        return self.transforms[0].takes_integers

    @property
    def event_dtype(self) -> str:
        return self.transforms[0].event_dtype

    def _encode(self, x, condition, context):
        parts = _shared(backprop.parts(self.transforms, context.memory), context)
        z, log_det = encode_in_turn(parts, x, condition, context.at)
        return z, tf.cast(log_det, self.compute_dtype)

    def _decode(self, z, condition, context):
        x, log_det = decode_in_turn(_shared(list(enumerate(self.transforms)), context), z, condition, context.at)
        return x, tf.cast(log_det, self.compute_dtype)

    def adapt(self, x: tf.Tensor, condition: tf.Tensor | None = None, context: Context | None = None) -> tf.Tensor:
        context = check_context(context)
        for i, transform in enumerate(self.transforms):
            x = transform.adapt(x, condition, context.at(i))
        return x


def _shared(parts, context):
    return shared.parts(parts) if context.shares and tf.inside_function() else parts


class Invert(Bijector):
    """The same bijector with its directions exchanged: encode is the other's decode.

    Raises:
      TypeError: the transform is not a bijection, so exchanging its directions would not be exact.
    """

    def __init__(self, bijector: Transform, *, name: str | None = None):
        require_exact(bijector, "Invert")
        if bijector.event_dtype != bijector.compute_dtype:
            raise TypeError(
                f"Invert expected a bijector of one dtype, got one of {bijector.event_dtype} data and "
                f"{bijector.compute_dtype} latents. Invert its parts of float32 only."
            )
        shapes, dtype = (bijector.latent_shape, bijector.event_shape), bijector.compute_dtype
        super().__init__(*shapes, parts=[bijector], dtype=dtype, name=name)
        self.bijector = bijector
        self.bounded = False  # only the other's latents are
        self.takes_context = bijector.takes_context

    def _encode(self, x, condition, context=None):
        return self.bijector.decode(x, condition, context)

    def _decode(self, z, condition, context=None):
        return self.bijector.encode(z, condition, context)


class Identity(Bijector):
    """z = x."""

    def _encode(self, x, condition):
        return x, constant_log_det(0.0, x)

    _decode = _encode


def require_exact(bijector: Transform, who: str) -> None:
    """TypeError, saying who asked, unless this is an exact bijection."""
    if not isinstance(bijector, Transform):
        raise TypeError(f"{who} expected a Bijector, got {type(bijector).__name__}.")
    if not bijector.bijective:
        drawn = f", which draws in {' and '.join(sorted(bijector.draws))}" if bijector.draws else ""
        raise TypeError(
            f"{who} expected an exact bijection, got {type(bijector).__name__} of kind {bijector.kind!r}{drawn}. "
            "Dequantization and other surjections have no inverse."
        )


def common_dtype(transforms: Sequence[Transform], what: str, but_first: str | None = None) -> str:
    """The dtype of all transforms of the argument `what`; TypeError if one is not a transform or they differ.

    The first ones may have the dtype `but_first` instead.
    """
    for transform in transforms:
        if not isinstance(transform, Transform):
            raise TypeError(f"`{what}` must hold flowzoo Transforms, got {type(transform).__name__}.")
    dtypes = [transform.compute_dtype for transform in transforms]
    if len(set(itertools.dropwhile(lambda dtype: dtype == but_first, dtypes))) > 1:
        raise TypeError(
            f"`{what}` must all be of one dtype, got {', '.join(dtypes)}. Build them with the same `dtype`."
        )
    return dtypes[-1]
