"""What the planar, the radial and the Sylvester flow share: many small layers, each after an ActNorm."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from flowzoo.bijectors import ActNorm
from flowzoo.bijectors.parametric import Parametric
from flowzoo.conditioners import MLP
from flowzoo.core.transform import Transform
from flowzoo.families import recurring
from flowzoo.families.options import MixedPrecision, Options


@dataclasses.dataclass(frozen=True)
class StackOptions(Options, MixedPrecision):
    """`depth` times ActNorm and a `layer` on continuous vectors; with a condition each layer has a network for it."""

    layer: ClassVar[type[Parametric]]

    @property
    def form(self) -> dict[str, int]:
        """Options of the layers."""
        return {}

    depth: int = recurring.depth(16, "number of layers.")
    hidden: int = recurring.hidden(64, "width of the networks for a condition, which have one hidden layer.")

    def build(self) -> list[Transform]:
        features, parts = self.features(), []
        for i in range(self.depth):
            network, seed = None, self.seed + i
            if self.condition_size:
                sizes = 0, self.layer.parameter_count(features, **self.form), [self.hidden], self.condition_size
                network = MLP(*sizes, seed=seed, dtype=self.network_dtype)
            shape, how = (features,), {"dtype": self.dtype}
            parts += [ActNorm(shape, **how), self.layer(shape, network, seed=seed, **self.form, **how)]
        return parts
