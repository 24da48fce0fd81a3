"""MAF MoG: a masked autoregressive flow that ends with mixtures of Gaussians of each feature."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from flowzoo.bijectors import Affine, Chain, GaussianMixtureMap
from flowzoo.families.family import Family, keywords
from flowzoo.families.vectors import autoregressive


@keras.saving.register_keras_serializable(package="flowzoo")
class MAFMoG(Family):
    """MAF whose base is an autoregressive density with mixture-of-Gaussians conditionals (MADE MoG).

    Args:
      event_shape: (features,), or with `bits` any shape.
      bits: integers 0 ... 2^bits - 1; 0 for continuous vectors.
      depth: number of affine autoregressive layers before it.
      components: Gaussians of each feature's mixture.
      hidden: width of the networks.
      blocks: hidden layers of each network; with `residual` blocks of two.
      growth: bound on the log-scales in encode.
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

    Reference: Papamakarios et al. 2017, Masked autoregressive flow for density estimation, arXiv:1705.07057.
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (2,),
        bits: int = 0,
        depth: int = 5,
        components: int = 10,
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
        config = keywords(MAFMoG.__init__, locals())
        parts = autoregressive(config, (Affine(growth=growth), depth), (GaussianMixtureMap(components), 1))
        super().__init__(Chain(parts), config, name)
