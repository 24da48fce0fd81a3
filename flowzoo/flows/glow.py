"""Glow: activation normalisation, invertible 1x1 convolution, affine coupling, at several scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from flowzoo.bijectors import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    AllFree,
    Chain,
    ChannelSplit,
    ElementwiseAffine,
    InvertibleLinear,
    Logit,
    Multiscale,
    Scale,
    Squeeze,
)
from flowzoo.conditioners import MLP, GlowConvNet
from flowzoo.flows.base import Flow
from flowzoo.flows.dequantization import dequantization
from flowzoo.flows.door import check_counts, check_shape

COUPLINGS = {"affine": AffineCoupling, "additive": AdditiveCoupling}


@keras.saving.register_keras_serializable(package="flowzoo")
class Glow(Flow):
    """Glow on images of integers, with learned priors at every scale.

    The prior of the channels that leave at a scale, given those that stay, is the affine coupling at the end of the
    scale; on the whole flat latent follow a learned mean and deviation per entry, and per class if there are classes.

    Args:
      image_shape: (height, width, channels), both sides divisible by 2^levels.
      bits: pixels are integers 0 ... 2^bits - 1.
      levels: number of scales (L in the paper).
      depth: steps of flow per scale (K in the paper).
      hidden: channels of the hidden layers of each coupling's network.
      coupling: "affine" or "additive".
      growth: bound on the log-scales of the couplings in encode; a small one (0.5) keeps deep stacks stable.
      position: give the networks a learned bias per position; good for aligned data.
      alpha: if positive, pixels pass through a logit of this alpha, as in Real NVP; 0 only centres them. It evens out
        the densities of data with constant backgrounds.
      noise_depth: couplings of the flow that draws the noise of variational dequantization; 0 for uniform noise.
      noise_hidden: channels of the hidden layers of its networks.
      classes: number of classes of a class-conditional model; 0 for none.
      condition_features: size of a condition vector; 0 for none.
      conditioner_dtype: Keras dtype policy of the networks, e.g. "mixed_bfloat16"; weights stay float32.
      seed: of the initial weights.

    Reference: Kingma & Dhariwal 2018, Glow: generative flow with invertible 1x1 convolutions, arXiv:1807.03039.
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (32, 32, 3),
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
        classes: int = 0,
        condition_features: int = 0,
        conditioner_dtype: str = "float32",
        seed: int = 0,
        name: str | None = None,
    ):
        if coupling not in COUPLINGS:
            raise ValueError(f"`coupling` must be one of {sorted(COUPLINGS)}, got {coupling!r}.")
        check_counts(1, bits=bits, levels=levels, depth=depth, hidden=hidden, noise_hidden=noise_hidden)
        check_counts(0, classes=classes, condition_features=condition_features, noise_depth=noise_depth)
        shape = check_shape(image_shape, "image_shape")
        if len(shape) != 3 or any(side % 2**levels for side in shape[:2]):
            raise ValueError(
                f"`image_shape` must be (height, width, channels) with sides divisible by {2**levels} "
                f"(2^levels), got {shape}."
            )

        def couple(kind, shape, index):
            split = ChannelSplit(shape)
            channels = kind.outputs_per_entry * split.free_shape[-1]
            conditioner = GlowConvNet(
                split.kept_shape,
                channels,
                hidden,
                classes or condition_features,
                position=position,
                seed=seed + index,
                dtype=conditioner_dtype,
            )
            options = {"growth": growth} if kind is AffineCoupling else {}
            return kind(shape, split, conditioner, **options)

        stages, index, current = [], 0, shape
        for level in range(levels):
            parts = [Squeeze(current)]
            current = parts[0].latent_shape
            for _ in range(depth):
                index += 1
                parts += [ActNorm(current), InvertibleLinear(current, seed=seed + index)]
                parts.append(couple(COUPLINGS[coupling], current, index))
            if level < levels - 1:
                index += 1
                parts.append(couple(AffineCoupling, current, index))  # the prior of what leaves here
            stages.append(Chain(parts))
            current = (*current[:2], current[2] - current[2] // 2)
        latent = (math.prod(shape),)
        parts = [
            dequantization(shape, bits, noise_depth, noise_hidden, seed, conditioner_dtype),
            Logit(shape, alpha) if alpha else Scale(shape, shift=-0.5),
            Multiscale(stages),
            ElementwiseAffine(latent),
        ]
        if classes:
            network = MLP(0, AffineCoupling.outputs_per_entry * latent[0], [], classes, dtype=conditioner_dtype)
            parts.append(AffineCoupling(latent, AllFree(latent), network))
        super().__init__(Chain(parts), classes=classes, condition_features=condition_features, name=name)
        self.config = {
            "image_shape": list(shape),
            "bits": bits,
            "levels": levels,
            "depth": depth,
            "hidden": hidden,
            "coupling": coupling,
            "growth": growth,
            "position": position,
            "alpha": alpha,
            "noise_depth": noise_depth,
            "noise_hidden": noise_hidden,
            "classes": classes,
            "condition_features": condition_features,
            "conditioner_dtype": conditioner_dtype,
            "seed": seed,
        }

    def get_config(self) -> dict[str, Any]:
        return {**self.config, "name": self.name}
