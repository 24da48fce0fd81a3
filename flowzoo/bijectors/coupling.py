"""Couplings: part of x is kept, the rest is transformed by parameters computed from the kept part."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from flowzoo.bijectors.scalar import Affine, ScalarMap, Shift
from flowzoo.bijectors.splits import Split
from flowzoo.core.transform import Bijector, sum_event


class Coupling(Bijector):
    """z is x, with the free part mapped by `scalar`, whose parameters are conditioner(kept part, condition).

    Args:
      event_shape: shape of one x.
      split: how x is split: `ChannelSplit`, `FeatureMask`, `CheckerboardSplit` or similar, of this event_shape.
      conditioner: Keras layer (kept, condition) -> parameters, with `scalar.outputs_per_entry` times as many entries on
        the last axis as the free part.
      scalar: `Affine`, `Shift`, `RationalQuadratic` or similar.

    Raises:
      ValueError: the split or the conditioner is made for another shape.

    Reference: Dinh et al. 2015, NICE: non-linear independent components estimation, arXiv:1410.8516.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        split: Split,
        conditioner: keras.layers.Layer,
        scalar: ScalarMap,
        *,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, dtype=dtype, name=name)
        if tuple(split.event_shape) != self.event_shape:
            raise ValueError(
                f"{type(self).__name__}: the split must be of event_shape {self.event_shape}, "
                f"got {tuple(split.event_shape)}. Build it for the events of the coupling."
            )
        takes = getattr(conditioner, "input_event_shape", None)  # a user's layer need not state it
        if takes is not None and tuple(takes) != tuple(split.kept_shape):
            raise ValueError(
                f"{type(self).__name__}: the conditioner must take {tuple(split.kept_shape)} per example, the kept "
                f"part of its split, got one for {tuple(takes)}."
            )
        expected = (*split.free_shape[:-1], scalar.outputs_per_entry * split.free_shape[-1])
        if tuple(conditioner.output_event_shape) != expected:
            raise ValueError(
                f"{type(self).__name__}: the conditioner must give {expected} per example, "
                f"got {tuple(conditioner.output_event_shape)}."
            )
        self.split = split
        self.conditioner = conditioner
        self.scalar = scalar

    @property
    def samples_by_xla(self) -> bool:
        return getattr(self.scalar, "samples_by_xla", False)  # a user's map need not state it

    def _encode(self, x, condition):
        return self._mapped(self.scalar.encode, x, condition)

    def _decode(self, z, condition):
        return self._mapped(self.scalar.decode, z, condition)

    def _mapped(self, direction, value, condition):
        kept, free = self.split.split(value)
        free, log_slope = direction(free, tf.cast(self.conditioner(kept, condition), self.compute_dtype))
        return self.split.merge(kept, free), sum_event(log_slope)


class AdditiveCoupling(Coupling):
    """z = x + t on the free part, where t = conditioner(kept part, condition); preserves volume.

    Reference: Dinh et al. 2015, NICE: non-linear independent components estimation, arXiv:1410.8516.
    """

    outputs_per_entry = Shift.outputs_per_entry

    def __init__(
        self,
        event_shape: Sequence[int],
        split: Split,
        conditioner: keras.layers.Layer,
        *,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, split, conditioner, Shift(), dtype=dtype, name=name)


class AffineCoupling(Coupling):
    """z = (x + t) * exp(s) on the free part, where (t, s) = conditioner(kept part, condition).

    Args:
      bound, growth: limits of s, see `Affine`.

    Reference: Dinh et al. 2017, Density estimation using Real NVP, arXiv:1605.08803.
    """

    outputs_per_entry = Affine.outputs_per_entry

    def __init__(
        self,
        event_shape: Sequence[int],
        split: Split,
        conditioner: keras.layers.Layer,
        *,
        bound: float = 2.0,
        growth: float | None = None,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(event_shape, split, conditioner, Affine(bound, growth), dtype=dtype, name=name)
