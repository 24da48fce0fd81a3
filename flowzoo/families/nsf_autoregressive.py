"""Autoregressive neural spline flow: a spline of each feature given those before it."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from flowzoo.bijectors import Chain
from flowzoo.core.checks import check_flag
from flowzoo.families.family import Family, keywords
from flowzoo.families.splines import spline_map
from flowzoo.families.vectors import autoregressive
from flowzoo.models.traced_option import TracedOption


@keras.saving.register_keras_serializable(package="flowzoo")
class NSFAutoregressive(Family):
    """RQ-NSF (AR) on vectors, or on images of integers in logit space; densities take one pass, samples go by feature.

    Args:
      event_shape: (features,), or with `bits` any shape.
      bits: integers 0 ... 2^bits - 1; 0 for continuous vectors.
      depth: number of autoregressive layers.
      hidden: width of the networks.
      blocks: hidden layers of each network; with `residual` blocks of two.
      bins: of the rational-quadratic splines, 2 to 20; with `affine` also 0 for none, to train the affine maps first
        and go on from those weights.
      bound: half the interval of the splines; outside they are the identity.
      affine: before each spline a shift and a scale, given the features before too; for data of many scales.
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

    Reference: Durkan et al. 2019, Neural spline flows, arXiv:1906.04032.
    """

    xla = TracedOption(True, check_flag)  # twice as fast, see benchmarks/README.md

    def __init__(
        self,
        event_shape: Sequence[int] = (2,),
        bits: int = 0,
        depth: int = 5,
        hidden: int = 64,
        blocks: int = 2,
        bins: int = 8,
        bound: float = 3.0,
        affine: bool = False,
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
        config = keywords(NSFAutoregressive.__init__, locals())
        parts = autoregressive(config, (spline_map(bins, bound, affine), depth))
        super().__init__(Chain(parts), config, name)
