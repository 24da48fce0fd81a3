"""SurVAE flows: surjections that fold and sort the data, then couplings on what is left."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import keras

from flowzoo.bijectors import ChannelSplit, Coupling, Invert, Logit, RationalQuadratic, Scale
from flowzoo.conditioners import MLP
from flowzoo.core.transform import Transform
from flowzoo.families import recurring
from flowzoo.families.family import Family
from flowzoo.families.options import MixedPrecision, Options, counted, option, prior, shape
from flowzoo.families.values import LAYERS, Count, Flag
from flowzoo.surjections import AbsoluteValue, Sort


@dataclasses.dataclass(frozen=True)
class SurVAEOptions(Options, MixedPrecision):
    """The options of `SurVAE`."""

    least_features = 2

    event_shape: Sequence[int] = shape((2,), "(features,), at least 2.")
    folds: int = option(2, Count(0, LAYERS), "absolute values, of each column in turn.", grows="layers")
    point: bool = option(
        False, Flag(), "mirror all columns where the folded one is negative, a reflection through the centre."
    )
    sort: bool = option(False, Flag(), "sort the columns, after the folds.")
    depth: int = recurring.depth(4, "spline couplings at the end.")
    hidden: int = recurring.hidden(64)
    blocks: int = recurring.blocks(2)
    bins: int = recurring.bins("")
    base: str = prior("logistic")

    def build(self) -> list[Transform]:
        shape, dtype = (self.features(),), self.dtype
        hidden = [self.hidden] * self.blocks
        seeds = itertools.count(self.seed)

        def network(features, outputs):
            how = {"seed": next(seeds), "dtype": self.network_dtype}
            return MLP(features, outputs, hidden, self.condition_size, **how)

        parts = [Invert(Logit(shape, 0.0, dtype=dtype)), Scale(shape, 2.0, -0.5, dtype=dtype)]  # to [-1, 1]
        for i in range(self.folds):
            fold = network(shape[0], 1), i % shape[0]
            parts.append(AbsoluteValue(shape, *fold, point=self.point, dtype=dtype))
        if self.sort:
            parts.append(Sort(shape, network(*shape, *shape), dtype=dtype))
        spline = RationalQuadratic(self.bins, 1.0, box=True)
        for i in range(self.depth):
            split = ChannelSplit(shape, swap=bool(i % 2))
            outputs = spline.outputs_per_entry * split.free_shape[0]
            parts.append(Coupling(shape, split, network(split.kept_shape[0], outputs), spline, dtype=dtype))
        return [*parts, Scale(shape, 0.5, 1.0, dtype=dtype), Logit(shape, 0.0, dtype=dtype)]

    def describe(self) -> str:
        mirrored = "all columns" if self.point else "one column each"
        surjections = [f"{counted(self.folds, 'absolute value')} that mirror {mirrored}"] if self.folds else []
        surjections += ["sorting"] if self.sort else []
        return (
            f"SurVAE flow on a box: {' and '.join(surjections) or 'no surjection'}, then "
            f"{counted(self.depth, 'coupling')} with rational-quadratic splines; all networks have "
            f"{counted(self.blocks, 'layer')} of {self.hidden} units."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class SurVAE(Family):
    """Vectors, mapped to a box by the logistic function, folded there, sorted if wanted, and modelled by splines.

    Surjections make data of known symmetries simple; networks draw in decode what they forget in encode, the sign or
    the order, so the symmetries need only be close to true. log p(x) is exact. `bounds` that fit the data take the
    place of the logistic function: with both, the map to the box is linear.

    Reference: Nielsen et al. 2020, SurVAE Flows, arXiv:2007.02731.
    """

    Options = SurVAEOptions
