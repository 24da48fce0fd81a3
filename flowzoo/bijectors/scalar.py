"""Scalar maps: increasing maps of single numbers, whose parameters a network gives, as in a coupling."""

from __future__ import annotations

from typing import Protocol

import tensorflow as tf

from flowzoo.core.checks import check_number


class ScalarMap(Protocol):
    """An increasing map of each entry by itself.

    `raw` are a network's outputs, (..., outputs_per_entry * channels) for entries (..., channels); with all of them 0
    the map is the identity, but for mixtures of several components. Both directions return the value and log |slope| of
    that direction, (..., channels).

    A map may state `samples_by_xla`, for the transforms that use it; see `Transform`.
    """

    outputs_per_entry: int

    def encode(self, x: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """x -> z and log dz/dx."""

    def decode(self, z: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """z -> x and log dx/dz."""


def by_parameter(raw: tf.Tensor, outputs_per_entry: int) -> tf.Tensor:
    """(..., outputs_per_entry * channels) -> (..., outputs_per_entry, channels)."""
    return tf.reshape(raw, tf.concat([tf.shape(raw)[:-1], [outputs_per_entry, _channels(raw, outputs_per_entry)]], 0))


def _channels(raw, outputs_per_entry):
    """An int where it is known: an unknown number of channels would hide that of z."""
    return (raw.shape[-1] or tf.shape(raw)[-1]) // outputs_per_entry


class Shift:
    """z = x + t."""

    outputs_per_entry = 1

    def encode(self, x: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return x + raw, tf.zeros_like(x)

    def decode(self, z: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return z - raw, tf.zeros_like(z)


class ScalarChain:
    """Several maps, the first one first in encode; `raw` holds the outputs for the first, then those for the next.

    Args:
      maps: of the type `ScalarMap`.
    """

    def __init__(self, *maps: ScalarMap):
        self.maps = maps
        self.outputs_per_entry = sum(each.outputs_per_entry for each in maps)
        self.samples_by_xla = any(getattr(each, "samples_by_xla", False) for each in maps)

    def encode(self, x: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.zeros_like(x)
        for each, part in zip(self.maps, self._parts(raw), strict=True):
            x, log_slope = each.encode(x, part)
            total += log_slope
        return x, total

    def decode(self, z: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.zeros_like(z)
        for each, part in zip(reversed(self.maps), reversed(self._parts(raw)), strict=True):
            z, log_slope = each.decode(z, part)
            total += log_slope
        return z, total

    def _parts(self, raw):
        channels = _channels(raw, self.outputs_per_entry)
        return tf.split(raw, [each.outputs_per_entry * channels for each in self.maps], axis=-1)


class Affine:
    """z = (x + t) * exp(s); `raw` holds all t, then all s before they are bounded.

    Args:
      bound: s lies within (-bound, bound), so that neither direction can explode.
      growth: s lies below this instead. A small one keeps in check outliers that deep stacks would blow up in encode.
    """

    outputs_per_entry = 2

    def __init__(self, bound: float = 2.0, growth: float | None = None):
        self.bound = check_number(bound, "bound")
        self.growth = self.bound if growth is None else check_number(growth, "growth")

    def encode(self, x: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shift, log_scale = self._parameters(raw)
        return (x + shift) * tf.exp(log_scale), log_scale

    def decode(self, z: tf.Tensor, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shift, log_scale = self._parameters(raw)
        return z * tf.exp(-log_scale) - shift, -log_scale

    def _parameters(self, raw):
        shift, raw = tf.split(raw, 2, axis=-1)
        if self.growth == self.bound:
            return shift, self.bound * tf.tanh(raw * (1.0 / self.bound))
        limit = tf.where(raw > 0.0, tf.constant(self.growth, raw.dtype), tf.constant(self.bound, raw.dtype))
        return shift, limit * tf.tanh(raw / limit)
