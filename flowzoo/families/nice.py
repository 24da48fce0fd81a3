"""NICE: additive couplings and one learned scale per feature."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras

from flowzoo.bijectors import AdditiveCoupling, ChannelSplit, ElementwiseAffine
from flowzoo.conditioners import MLP
from flowzoo.core.transform import Transform
from flowzoo.families import recurring
from flowzoo.families.family import Family
from flowzoo.families.options import MixedPrecision, Options, shape
from flowzoo.families.vectors import evens_first, way_in


@dataclasses.dataclass(frozen=True)
class NICEOptions(Options, MixedPrecision):
    """The options of `NICE`."""

    least_features = 2

    event_shape: Sequence[int] = shape((2,), "(features,), or with `bits` any shape.")
    bits: int = recurring.bits()
    depth: int = recurring.depth(4, "number of couplings, whose masks alternate; at least 2.", least=2)
    hidden: int = recurring.hidden()
    blocks: int = recurring.blocks()
    alpha: float = recurring.alpha(
        0.0, "integers pass through a logit of this alpha; 0 leaves them in [0, 1), as in the paper."
    )

    def build(self) -> list[Transform]:
        parts, features = way_in(self)
        parts.append(evens_first(features, self.dtype))
        for i in range(self.depth):
            split = ChannelSplit((features,), swap=i % 2 == 0)
            sizes = split.kept_shape[0], split.free_shape[0], [self.hidden] * self.blocks, self.condition_size
            network = MLP(*sizes, seed=self.seed + i, dtype=self.network_dtype)
            parts.append(AdditiveCoupling((features,), split, network, dtype=self.dtype))
        return [*parts, ElementwiseAffine((features,), dtype=self.dtype)]

    def describe(self) -> str:
        return (
            f"NICE: {self.depth} additive couplings whose masks alternate, with networks of {self.hidden} units, and "
            "one learned scale per feature."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class NICE(Family):
    """NICE on vectors, or on integer-valued images as vectors; only the scale at the end changes volume.

    Reference: Dinh et al. 2015, NICE: non-linear independent components estimation, arXiv:1410.8516.
    """

    Options = NICEOptions
