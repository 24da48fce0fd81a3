"""Coupling neural spline flow: rational-quadratic splines of one half given the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras

from flowzoo.bijectors import AffineCoupling, Coupling, Whitening
from flowzoo.core.transform import Transform
from flowzoo.families import recurring, simpler, steps
from flowzoo.families.family import Family
from flowzoo.families.options import MixedPrecision, Options, shape
from flowzoo.families.sentences import spline_maps
from flowzoo.families.splines import spline_map


@dataclasses.dataclass(frozen=True)
class NSFCouplingOptions(Options, MixedPrecision):
    """The options of `NSFCoupling`."""

    least_features = 2
    starts = (simpler.without_splines, simpler.smaller_noise, simpler.without_condition, simpler.narrower)

    event_shape: Sequence[int] = shape(
        (2,), "(features,), at least 2, or (height, width, channels), both sides divisible by 2^levels."
    )
    bits: int = recurring.bits(0, "pixels are integers 0 ... 2^bits - 1; 0 for vectors, which are continuous.")
    levels: int = recurring.levels(3)
    depth: int = recurring.depth(5, "steps per scale, or in total for vectors.")
    hidden: int = recurring.hidden(64, "width of the hidden layers of each coupling's network.")
    bins: int = recurring.bins()
    bound: float = recurring.bound()
    affine: bool = recurring.affine("given the kept half too")
    whiten: bool = recurring.whiten("vectors")
    position: bool = recurring.position()
    alpha: float = recurring.alpha(
        0.0, "if positive, pixels pass through a logit of this alpha; 0 only centres them. Images only."
    )
    noise_depth: int = recurring.noise_depth()
    noise_hidden: int = recurring.noise_hidden()

    @property
    def xla(self) -> bool:
        return not self.bits  # faster for vectors, slower for convolutions; see docs/benchmarks.md

    def build(self) -> list[Transform]:
        shape, scalar = steps.checked(self), spline_map(self.bins, self.bound, self.affine)

        def couple(split, index):
            network = steps.network(self, split, index, scalar.outputs_per_entry)
            return Coupling(split.event_shape, split, network, scalar, dtype=self.dtype)

        def prior(split, index):
            network = steps.network(self, split, index, AffineCoupling.outputs_per_entry)
            return AffineCoupling(split.event_shape, split, network, dtype=self.dtype)

        parts = [Whitening(shape, dtype=self.dtype)] if self.whiten else []
        parts += steps.way_in(self) if self.bits else []
        return parts + steps.stacked(self, shape, couple, prior)

    def describe(self) -> str:
        maps = spline_maps(self.bins)
        if self.bits:
            return (
                f"Neural spline flow: {self.levels} scales of {self.depth} of Glow's steps with {maps}, whose networks "
                f"have {self.hidden} channels."
            )
        return f"Neural spline flow: {self.depth} couplings with {maps} and networks of {self.hidden} units."


@keras.saving.register_keras_serializable(package="flowzoo")
class NSFCoupling(Family):
    """RQ-NSF (C) on continuous vectors, or on integer-valued images at several scales: Glow's steps with splines.

    Reference: Durkan et al. 2019, Neural spline flows, arXiv:1906.04032.
    """

    Options = NSFCouplingOptions
