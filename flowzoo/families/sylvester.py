"""The Sylvester flow."""

from __future__ import annotations

import dataclasses

import keras

from flowzoo.bijectors import Reverse, Sylvester
from flowzoo.core.transform import Transform
from flowzoo.families.family import Family
from flowzoo.families.options import counted, option
from flowzoo.families.stack import StackOptions
from flowzoo.families.values import Count

MOST = 64  # directions and reflections of a layer; the graph of decode grows with them


@dataclasses.dataclass(frozen=True)
class SylvesterFlowOptions(StackOptions):
    """The options of `SylvesterFlow`."""

    layer = Sylvester

    directions: int = option(2, Count(1, MOST), "along which a layer bends, or `features` if there are fewer.")
    reflections: int = option(
        2, Count(0, MOST), "that turn the axes into directions; as many reach all, 0 leaves the axes."
    )

    @property
    def form(self) -> dict[str, int]:
        return {"directions": min(self.directions, self.features()), "reflections": self.reflections}

    def build(self) -> list[Transform]:
        parts = super().build()
        if self.reflections:
            return parts
        shape = (self.features(),)
        turned = [[part, Reverse(shape, dtype=self.dtype)] if isinstance(part, Sylvester) else [part] for part in parts]
        return [part for pair in turned for part in pair]

    def describe(self) -> str:
        turned = counted(self.reflections, "reflection") if self.reflections else "the order of the features reversed"
        return (
            f"Sylvester flow: {counted(self.depth, 'Sylvester map')} in a row, each a bend along "
            f"{counted(self.form['directions'], 'orthogonal direction')}, with {turned} in each."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class SylvesterFlow(Family):
    """Sylvester maps of continuous vectors in a row, each after an ActNorm: planar maps along several directions.

    Reference: van den Berg et al. 2018, Sylvester normalizing flows for variational inference, arXiv:1803.05649.
    """

    Options = SylvesterFlowOptions
