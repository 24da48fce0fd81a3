"""Glow: activation normalisation, invertible 1x1 convolution, affine coupling, on images at several scales."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence

import keras

from flowzoo.bijectors import AdditiveCoupling, AffineCoupling, AllFree, ElementwiseAffine
from flowzoo.conditioners import MLP
from flowzoo.core.transform import Transform
from flowzoo.families import recurring, simpler, steps
from flowzoo.families.family import Family
from flowzoo.families.options import MixedPrecision, Options, option, shape
from flowzoo.families.values import OneOf

COUPLINGS = {"additive": AdditiveCoupling, "affine": AffineCoupling}


@dataclasses.dataclass(frozen=True)
class GlowOptions(Options, MixedPrecision):
    """The options of `Glow`."""

    least_features = 2
    starts = (simpler.smaller_noise, simpler.without_condition, simpler.narrower)
    class_prior = True

    event_shape: Sequence[int] = shape(
        (32, 32, 3), "(height, width, channels), both sides divisible by 2^levels, or (features,), at least 2."
    )
    bits: int = recurring.bits(8, "pixels are integers 0 ... 2^bits - 1; 0 for vectors, which are continuous.")
    levels: int = recurring.levels(3)
    depth: int = recurring.depth(32, "steps of flow per scale (K in the paper), or in total for vectors.")
    hidden: int = recurring.hidden(512, "width of the hidden layers of each coupling's network.")
    coupling: str = option("affine", OneOf(tuple(COUPLINGS)), '"affine" or "additive".')
    growth: float = recurring.growth()
    position: bool = recurring.position()
    alpha: float = recurring.alpha(
        0.0,
        "if positive, pixels pass through a logit of this alpha, as in Real NVP; 0 only centres them. It evens out the "
        "densities of data with constant backgrounds. Images only.",
    )
    noise_depth: int = recurring.noise_depth()
    noise_hidden: int = recurring.noise_hidden()

    def build(self) -> list[Transform]:
        shape = steps.checked(self)

        def couple(split, index, kind=COUPLINGS[self.coupling]):
            limits = {"growth": self.growth} if kind is AffineCoupling else {}
            network = steps.network(self, split, index, kind.outputs_per_entry)
            return kind(split.event_shape, split, network, dtype=self.dtype, **limits)

        parts = steps.way_in(self) if self.bits else []
        parts += steps.stacked(self, shape, couple, functools.partial(couple, kind=AffineCoupling))
        latent = (math.prod(shape),)
        parts.append(ElementwiseAffine(latent, dtype=self.dtype))
        if self.only_classes:
            outputs = AffineCoupling.outputs_per_entry * latent[0]
            network = MLP(0, outputs, [], self.only_classes, dtype=self.network_dtype)
            parts.append(AffineCoupling(latent, AllFree(latent), network, dtype=self.dtype))
        return parts

    def describe(self) -> str:
        if self.bits:
            return (
                f"Glow: {self.levels} scales of {self.depth} steps, each an ActNorm, an invertible 1x1 convolution and "
                f"an {self.coupling} coupling whose network has {self.hidden} channels; half of the channels are "
                "factored out after each scale, under a learned prior."
            )
        return (
            f"Glow on vectors: {self.depth} steps, each an ActNorm, an invertible linear map and an {self.coupling} "
            f"coupling whose network has layers of {self.hidden} units."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class Glow(Family):
    """Glow on integer-valued images, with learned priors at every scale, or on continuous vectors.

    The prior of the channels factored out at a scale, given those that are kept, is the affine coupling at its end; the
    whole flat latent has a learned mean and standard deviation per entry, and per class if there are classes.

    Reference: Kingma & Dhariwal 2018, Glow: generative flow with invertible 1x1 convolutions, arXiv:1807.03039.
    """

    Options = GlowOptions
