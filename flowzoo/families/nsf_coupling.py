"""Coupling neural spline flow: rational-quadratic splines of one half given the other."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from flowzoo.bijectors import AffineCoupling, Chain, Coupling, Whitening
from flowzoo.families import steps
from flowzoo.families.family import Family, keywords
from flowzoo.families.splines import spline_map


@keras.saving.register_keras_serializable(package="flowzoo")
class NSFCoupling(Family):
    """RQ-NSF (C) on continuous vectors, or on images of integers at several scales: Glow's steps with splines.

    Args:
      event_shape: (features,), at least 2, or (height, width, channels), both sides divisible by 2^levels.
      bits: pixels are integers 0 ... 2^bits - 1. Vectors are continuous: 0.
      levels: number of scales, images only.
      depth: steps per scale, or in all for vectors.
      hidden: width of the hidden layers of each coupling's network.
      bins: of the rational-quadratic splines, 2 to 20; with `affine` also 0 for none, to train the affine maps first
        and go on from those weights.
      bound: half the interval of the splines; outside they are the identity.
      affine: before each spline a shift and a scale, given the kept half too; for data of many scales.
      whiten: begin with a linear map that `adapt` sets so that features are uncorrelated. Vectors only.
      position: give the networks a learned bias per position; good for aligned data. Images only.
      alpha: if positive, pixels pass through a logit of this alpha; 0 only centres them. Images only.
      noise_depth: couplings of the flow that draws the noise of variational dequantization, images only; 0 for uniform.
      noise_hidden: channels of the hidden layers of its networks.
      base: distribution of the latent, a key of `bases.NAMED`.
      classes: number of classes of a class-conditional model; 0 for none.
      condition_features: size of a condition vector; 0 for none.
      conditioner_dtype: Keras dtype policy of the networks, e.g. "mixed_bfloat16"; weights stay in `dtype`.
      seed: of the initial weights.
      dtype: float32, or float64 for vectors.
      standardize, bounds: as in `Family`; for continuous vectors.

    Reference: Durkan et al. 2019, Neural spline flows, arXiv:1906.04032.
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (2,),
        bits: int = 0,
        levels: int = 3,
        depth: int = 5,
        hidden: int = 64,
        bins: int = 8,
        bound: float = 3.0,
        affine: bool = False,
        whiten: bool = False,
        position: bool = False,
        alpha: float = 0.0,
        noise_depth: int = 0,
        noise_hidden: int = 32,
        base: str = "normal",
        classes: int = 0,
        condition_features: int = 0,
        conditioner_dtype: str | None = None,
        seed: int = 0,
        dtype: str = "float32",
        standardize: bool = False,
        bounds: Sequence | None = None,
        name: str | None = None,
    ):
        config = keywords(NSFCoupling.__init__, locals())
        shape = steps.checked("NSFCoupling", config, "position", "alpha", "noise_depth", vectors_only=["whiten"])
        conditioner_dtype, scalar = conditioner_dtype or dtype, spline_map(bins, bound, affine)

        def network(split, index, outputs_per_entry):
            options = {"position": position, "seed": seed + index, "dtype": conditioner_dtype}
            return steps.network(split, outputs_per_entry, hidden, classes, condition_features, **options)

        def couple(split, index):
            conditioner = network(split, index, scalar.outputs_per_entry)
            return Coupling(split.event_shape, split, conditioner, scalar, dtype=dtype)

        def prior(split, index):
            conditioner = network(split, index, AffineCoupling.outputs_per_entry)
            return AffineCoupling(split.event_shape, split, conditioner, dtype=dtype)

        parts = [Whitening(shape, dtype=dtype)] if whiten else []
        if bits:
            parts += steps.way_in(shape, bits, alpha, noise_depth, noise_hidden, seed, conditioner_dtype)
        parts += steps.stacked(shape, levels, depth, couple, prior, seed, dtype)
        super().__init__(Chain(parts), config, name)
        self.xla = not bits  # faster for vectors, slower for convolutions; see benchmarks/README.md
