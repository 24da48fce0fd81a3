"""What the masked and the inverse autoregressive flow share: affine layers, one way round or the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from flowzoo.bijectors import Affine
from flowzoo.core.transform import Transform
from flowzoo.families import recurring
from flowzoo.families.options import Options, shape
from flowzoo.families.vectors import autoregressive


@dataclasses.dataclass(frozen=True)
class AffineAutoregressiveOptions(Options):
    """Affine autoregressive layers on vectors, or on integer-valued images in logit space."""

    invert: ClassVar[bool]  # whether decode is the direction that takes one pass
    starts = ()  # units of masked networks would change places

    event_shape: Sequence[int] = shape((2,), "(features,), or with `bits` any shape.")
    bits: int = recurring.bits()
    depth: int = recurring.depth(5, "number of autoregressive layers.")
    hidden: int = recurring.hidden()
    blocks: int = recurring.blocks(2, "hidden layers of each network; with `residual`, blocks of two.")
    growth: float = recurring.growth("bound on the log-scales in the direction that takes one pass.")
    residual: bool = recurring.residual()
    random_order: bool = recurring.random_order()
    whiten: bool = recurring.whiten()
    alpha: float = recurring.alpha(1e-6)

    def build(self) -> list[Transform]:
        return autoregressive(self, (Affine(growth=self.growth), self.depth), invert=self.invert)
