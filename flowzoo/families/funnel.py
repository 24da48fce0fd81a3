"""Funnels: spline couplings that give up features halfway, with an exact likelihood."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from flowzoo.bijectors import Coupling, FeatureMask, Whitening
from flowzoo.core.transform import Transform
from flowzoo.families import recurring, simpler, steps
from flowzoo.families.family import Family
from flowzoo.families.options import MixedPrecision, Options, counted, option, shape
from flowzoo.families.sentences import spline_maps
from flowzoo.families.splines import spline_map
from flowzoo.families.values import WIDTH, Count
from flowzoo.surjections import Slice


@dataclasses.dataclass(frozen=True)
class FunnelOptions(Options, MixedPrecision):
    """The options of `Funnel`."""

    least_features, xla = 2, True
    starts = (simpler.without_splines, simpler.without_condition, simpler.narrower)

    event_shape: Sequence[int] = shape((2,), "(features,), at least 2.")
    keep: int = option(
        1, Count(1, WIDTH), "features of z, fewer than x has.", aka="latent latent_dim latent_size z_dim"
    )
    depth: int = recurring.depth(
        4, "couplings before the features are given up, and again after, if more than one is kept."
    )
    hidden: int = recurring.hidden()
    bins: int = recurring.bins()
    bound: float = recurring.bound()
    affine: bool = recurring.affine("given the kept features too")
    whiten: bool = recurring.whiten()

    def build(self) -> list[Transform]:
        features, scalar = self.features(), spline_map(self.bins, self.bound, self.affine)
        if self.keep >= features:
            raise ValueError(f"`keep` must be less than the number of features, {features}, got {self.keep}.")

        def couple(split, index):
            network = steps.network(self, split, index, scalar.outputs_per_entry)
            return Coupling(split.event_shape, split, network, scalar, dtype=self.dtype)

        kept = np.arange(features) < self.keep
        narrow, rest, last = FeatureMask(kept), FeatureMask(~kept), 2 * self.depth + 1
        return [
            *([Whitening((features,), dtype=self.dtype)] if self.whiten else []),
            *steps.in_a_row(self, (features,), 0, couple),
            couple(rest, last),  # z = f(x1; x2)
            couple(narrow, last + 1),  # p(x2 | z)
            Slice(narrow, dtype=self.dtype),
            *(steps.in_a_row(self, (self.keep,), self.depth, couple) if self.keep > 1 else []),
        ]

    def describe(self) -> str:
        after = f", and {counted(self.depth, 'coupling')} on those" if self.keep > 1 else ""
        return (
            f"Funnel: {counted(self.depth, 'coupling')} with {spline_maps(self.bins)} on {self.features()} features, "
            f"then a funnel to {self.keep}{after}; networks of {self.hidden} units."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class Funnel(Family):
    """Spline couplings on vectors with a latent of fewer features; log p(x) is exact.

    Halfway z = f(x1; x2) leaves x2 behind, which decode draws from p(x2 | z): both are couplings. `decode` does not
    give back the x that was encoded, but one with the same latent.

    Reference: Klein et al. 2021, Funnels: Exact maximum likelihood with dimensionality reduction, arXiv:2112.08069.
    """

    Options = FunnelOptions
