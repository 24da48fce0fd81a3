"""Autoregressive neural spline flow: a spline of each feature given those before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras

from flowzoo.core.transform import Transform
from flowzoo.families import recurring, simpler
from flowzoo.families.family import Family
from flowzoo.families.options import Options, shape
from flowzoo.families.sentences import spline_maps
from flowzoo.families.splines import spline_map
from flowzoo.families.vectors import autoregressive


@dataclasses.dataclass(frozen=True)
class NSFAutoregressiveOptions(Options):
    """The options of `NSFAutoregressive`."""

    starts = (simpler.without_splines,)  # in the others units of masked networks would change places
    xla = True  # twice as fast, see docs/benchmarks.md

    event_shape: Sequence[int] = shape((2,), "(features,), or with `bits` any shape.")
    bits: int = recurring.bits()
    depth: int = recurring.depth(5, "number of autoregressive layers.")
    hidden: int = recurring.hidden()
    blocks: int = recurring.blocks(2, "hidden layers of each network; with `residual`, blocks of two.")
    bins: int = recurring.bins()
    bound: float = recurring.bound()
    affine: bool = recurring.affine("given the earlier features too")
    residual: bool = recurring.residual()
    random_order: bool = recurring.random_order()
    whiten: bool = recurring.whiten()
    alpha: float = recurring.alpha(1e-6)

    def build(self) -> list[Transform]:
        return autoregressive(self, (spline_map(self.bins, self.bound, self.affine), self.depth))

    def describe(self) -> str:
        return (
            f"Autoregressive neural spline flow: {self.depth} layers of {spline_maps(self.bins)}, masked networks of "
            f"{self.hidden} units. Densities take one pass, samples one step per feature."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class NSFAutoregressive(Family):
    """RQ-NSF (AR) on vectors, or on integer-valued images in logit space: densities take one pass, samples one step
    per feature.

    Reference: Durkan et al. 2019, Neural spline flows, arXiv:1906.04032.
    """

    Options = NSFAutoregressiveOptions
