"""Glow: activation normalisation, invertible 1x1 convolution, affine coupling, on images at several scales."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import keras

from flowzoo.bijectors import AdditiveCoupling, AffineCoupling, AllFree, Chain, ElementwiseAffine
from flowzoo.conditioners import MLP
from flowzoo.families import steps
from flowzoo.families.family import Family, keywords

COUPLINGS = {"affine": AffineCoupling, "additive": AdditiveCoupling}


@keras.saving.register_keras_serializable(package="flowzoo")
class Glow(Family):
    """Glow on images of integers, with learned priors at every scale, or on continuous vectors.

    The prior of the channels that leave at a scale, given those that stay, is the affine coupling at the end of the
    scale; on the whole flat latent follow a learned mean and deviation per entry, and per class if there are classes.

    Args:
      event_shape: (height, width, channels), both sides divisible by 2^levels, or (features,), at least 2.
      bits: pixels are integers 0 ... 2^bits - 1. Vectors are continuous: 0.
      levels: number of scales (L in the paper), images only.
      depth: steps of flow per scale (K in the paper), or in all for vectors.
      hidden: width of the hidden layers of each coupling's network.
      coupling: "affine" or "additive".
      growth: bound on the log-scales of the couplings in encode; a small one (0.5) keeps deep stacks stable.
      position: give the networks a learned bias per position; good for aligned data. Images only.
      alpha: if positive, pixels pass through a logit of this alpha, as in Real NVP; 0 only centres them. It evens out
        the densities of data with constant backgrounds. Images only.
      noise_depth: couplings of the flow that draws the noise of variational dequantization, images only; 0 for uniform.
      noise_hidden: channels of the hidden layers of its networks.
      base: distribution of the latent, a key of `bases.NAMED`.
      classes: number of classes of a class-conditional model; 0 for none.
      condition_features: size of a condition vector; 0 for none.
      conditioner_dtype: Keras dtype policy of the networks, e.g. "mixed_bfloat16"; weights stay in `dtype`.
      seed: of the initial weights.
      dtype: float32, or float64 for vectors.
      standardize, bounds: as in `Family`; for continuous vectors.

    Reference: Kingma & Dhariwal 2018, Glow: generative flow with invertible 1x1 convolutions, arXiv:1807.03039.
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (32, 32, 3),
        bits: int = 8,
        levels: int = 3,
        depth: int = 32,
        hidden: int = 512,
        coupling: str = "affine",
        growth: float = 2.0,
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
        config = keywords(Glow.__init__, locals())
        if coupling not in COUPLINGS:
            raise ValueError(f"`coupling` must be one of {sorted(COUPLINGS)}, got {coupling!r}.")
        shape = steps.checked("Glow", config, "position", "alpha", "noise_depth")
        conditioner_dtype = conditioner_dtype or dtype

        def couple(split, index, kind=COUPLINGS[coupling]):
            options = {"position": position, "seed": seed + index, "dtype": conditioner_dtype}
            network = steps.network(split, kind.outputs_per_entry, hidden, classes, condition_features, **options)
            limits = {"growth": growth} if kind is AffineCoupling else {}
            return kind(split.event_shape, split, network, dtype=dtype, **limits)

        prior = functools.partial(couple, kind=AffineCoupling)
        parts = []
        if bits:
            parts += steps.way_in(shape, bits, alpha, noise_depth, noise_hidden, seed, conditioner_dtype)
        parts += steps.stacked(shape, levels, depth, couple, prior, seed, dtype)
        latent = (math.prod(shape),)
        parts.append(ElementwiseAffine(latent, dtype=dtype))
        if classes:
            network = MLP(0, AffineCoupling.outputs_per_entry * latent[0], [], classes, dtype=conditioner_dtype)
            parts.append(AffineCoupling(latent, AllFree(latent), network, dtype=dtype))
        super().__init__(Chain(parts), config, name)
