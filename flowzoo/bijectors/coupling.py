"""Couplings: part of x is kept, the rest is transformed by parameters computed from the kept part."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from flowzoo.bijectors.splits import Split
from flowzoo.transform import Bijector, constant_log_det, sum_event


class Coupling(Bijector):
    """The common part of all couplings.

    Args:
      event_shape: shape of one x.
      split: how x falls into parts: `ChannelSplit`, `FeatureMask`, `CheckerboardSplit` or alike, of this event_shape.
      conditioner: Keras layer (kept, condition) -> parameters, with `outputs_per_entry` times as many entries on
        the last axis as the free part.

    Raises:
      ValueError: the split or the conditioner is made for another shape.
    """

    outputs_per_entry = 1

    def __init__(
        self,
        event_shape: Sequence[int],
        split: Split,
        conditioner: keras.layers.Layer,
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
        takes = getattr(conditioner, "input_event_shape", None)  # a layer of your own need not tell
        if takes is not None and tuple(takes) != tuple(split.kept_shape):
            raise ValueError(
                f"{type(self).__name__}: the conditioner must take {tuple(split.kept_shape)} per example, the kept "
                f"part of its split, got one for {tuple(takes)}."
            )
        expected = (*split.free_shape[:-1], self.outputs_per_entry * split.free_shape[-1])
        if tuple(conditioner.output_event_shape) != expected:
            raise ValueError(
                f"{type(self).__name__}: the conditioner must give {expected} per example, "
                f"got {tuple(conditioner.output_event_shape)}."
            )
        self.split = split
        self.conditioner = conditioner

    def _raw(self, kept, condition):
        return tf.cast(self.conditioner(kept, condition), self.compute_dtype)


class AdditiveCoupling(Coupling):
    """z = x + t on the free part, where t = conditioner(kept part, condition); preserves volume.

    Reference: Dinh et al. 2015, NICE: non-linear independent components estimation, arXiv:1410.8516.
    """

    def _encode(self, x, condition):
        kept, free = self.split.split(x)
        return self.split.merge(kept, free + self._raw(kept, condition)), constant_log_det(0.0, x)

    def _decode(self, z, condition):
        kept, free = self.split.split(z)
        return self.split.merge(kept, free - self._raw(kept, condition)), constant_log_det(0.0, z)


class AffineCoupling(Coupling):
    """z = (x + t) * exp(s) on the free part, where (t, s) = conditioner(kept part, condition).

    Args:
      bound: s lies within (-bound, bound), so that neither direction can explode.
      growth: s lies below this instead. A small one keeps outliers in check that deep stacks would blow up in encode.

    Reference: Dinh et al. 2017, Density estimation using Real NVP, arXiv:1605.08803.
    """

    outputs_per_entry = 2

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
        super().__init__(event_shape, split, conditioner, dtype=dtype, name=name)
        self.bound = float(bound)
        self.growth = self.bound if growth is None else float(growth)
        if not all(0.0 < limit < math.inf for limit in (self.bound, self.growth)):
            raise ValueError(f"`bound` and `growth` must be finite and positive, got {bound} and {growth}.")

    def _encode(self, x, condition):
        kept, free = self.split.split(x)
        shift, log_scale = self._parameters(kept, condition)
        return self.split.merge(kept, (free + shift) * tf.exp(log_scale)), sum_event(log_scale)

    def _decode(self, z, condition):
        kept, free = self.split.split(z)
        shift, log_scale = self._parameters(kept, condition)
        return self.split.merge(kept, free * tf.exp(-log_scale) - shift), -sum_event(log_scale)

    def _parameters(self, kept, condition):
        shift, raw = tf.split(self._raw(kept, condition), 2, axis=-1)
        limit = self.bound if self.growth == self.bound else tf.where(raw > 0.0, self.growth, self.bound)
        return shift, limit * tf.tanh(raw / limit)
