"""What the masked and the inverse autoregressive flow share: affine layers, one way round or the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from flowzoo.bijectors import Affine, Chain
from flowzoo.families.family import Family, keywords
from flowzoo.families.vectors import autoregressive


class AffineAutoregressive(Family):
    """Affine autoregressive layers on vectors, or on images of integers in logit space.

    Args:
      event_shape: (features,), or with `bits` any shape.
      bits: integers 0 ... 2^bits - 1; 0 for continuous vectors.
      depth: number of autoregressive layers.
      hidden: width of the networks.
      blocks: hidden layers of each network; with `residual` blocks of two.
      growth: bound on the log-scales in the direction that takes one pass.
      residual: skip connections in the networks.
      random_order: a random order of the features in each layer, instead of natural and reversed ones in turn.
      whiten: begin with a linear map that `adapt` sets so that features are uncorrelated.
      alpha: of the logit, integers only.
      base: distribution of the latent, a key of `bases.NAMED`.
      classes: number of classes of a class-conditional model; 0 for none.
      condition_features: size of a condition vector; 0 for none.
      seed: of the initial weights.
      dtype: float32, or float64 for continuous vectors.
      standardize, bounds: as in `Family`; for continuous vectors.
    """

    invert: ClassVar[bool]  # whether decode is the direction that takes one pass

    def __init__(
        self,
        event_shape: Sequence[int] = (2,),
        bits: int = 0,
        depth: int = 5,
        hidden: int = 64,
        blocks: int = 2,
        growth: float = 2.0,
        residual: bool = False,
        random_order: bool = False,
        whiten: bool = False,
        alpha: float = 1e-6,
        base: str = "normal",
        classes: int = 0,
        condition_features: int = 0,
        seed: int = 0,
        dtype: str = "float32",
        standardize: bool = False,
        bounds: Sequence | None = None,
        name: str | None = None,
    ):
        config = keywords(AffineAutoregressive.__init__, locals())
        parts = autoregressive(config, (Affine(growth=growth), depth), invert=self.invert)
        super().__init__(Chain(parts), config, name)
