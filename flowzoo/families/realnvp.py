"""Real NVP: affine couplings with alternating masks, on vectors and on images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras

from flowzoo.bijectors import (
    ActNorm,
    AffineCoupling,
    Chain,
    ChannelSplit,
    CheckerboardSplit,
    Multiscale,
    Squeeze,
)
from flowzoo.conditioners import MLP, ResidualConvNet
from flowzoo.core.transform import Transform
from flowzoo.families import recurring, simpler, steps
from flowzoo.families.family import Family
from flowzoo.families.options import MixedPrecision, Options, counted, shape
from flowzoo.families.vectors import evens_first


@dataclasses.dataclass(frozen=True)
class RealNVPOptions(Options, MixedPrecision):
    """The options of `RealNVP`."""

    least_features = 2
    starts = (simpler.smaller_noise, simpler.without_condition, simpler.narrower)

    event_shape: Sequence[int] = shape(
        (2,), "(features,), at least 2, or (height, width, channels) with sides divisible by 2^levels."
    )
    bits: int = recurring.bits(0, "pixels are integers 0 ... 2^bits - 1; 0 for vectors, which are continuous.")
    levels: int = recurring.levels(2)
    depth: int = recurring.depth(4, "couplings of each kind per scale, or in total for vectors.")
    hidden: int = recurring.hidden()
    blocks: int = recurring.blocks(2, "hidden layers (vectors) or residual blocks (images) of each network.")
    growth: float = recurring.growth()
    alpha: float = recurring.alpha(0.05, "of the logit; 0 only centres pixels. Images only.")
    position: bool = recurring.position()
    noise_depth: int = recurring.noise_depth()
    noise_hidden: int = recurring.noise_hidden()

    def build(self) -> list[Transform]:
        shape = steps.checked(self)
        return [*steps.way_in(self), self._scales(shape)] if self.bits else self._vector_parts(shape)

    def describe(self) -> str:
        if self.bits:
            return (
                f"Real NVP: {counted(self.levels, 'scale')}, each {counted(self.depth, 'checkerboard coupling')}, a "
                f"squeeze and {counted(self.depth, 'channel coupling')}, whose residual networks have "
                f"{counted(self.blocks, 'block')} of {self.hidden} channels; half of the channels are factored out "
                "between scales."
            )
        return (
            f"Real NVP: {self.depth} affine couplings whose masks alternate, with ActNorm; their networks have layers "
            f"of {self.hidden} units."
        )

    def _vector_parts(self, shape):
        parts = [evens_first(shape[0], self.dtype)]
        for i in range(self.depth):
            split = ChannelSplit(shape, swap=i % 2 == 0)
            widths = [self.hidden] * self.blocks
            sizes = split.kept_shape[0], 2 * split.free_shape[0], widths, self.condition_size
            network = MLP(*sizes, seed=self.seed + i, dtype=self.network_dtype)
            parts += [ActNorm(shape, dtype=self.dtype), self._coupling(split, network)]
        return parts

    def _scales(self, shape):
        stages, index = [], 0
        for _ in range(self.levels):
            parts, splits = [], [CheckerboardSplit(shape, swap=bool(i % 2)) for i in range(self.depth)]
            squeeze = Squeeze(shape)
            splits += [squeeze, *(ChannelSplit(squeeze.latent_shape, swap=bool(i % 2)) for i in range(self.depth))]
            for split in splits:
                if split is squeeze:
                    parts.append(squeeze)
                    shape = squeeze.latent_shape
                    continue
                index += 1
                parts += [ActNorm(shape), self._coupling(split, self._image_network(split, index))]
            stages.append(Chain(parts))
            shape = (*shape[:2], shape[2] - shape[2] // 2)
        return Multiscale(stages)

    def _image_network(self, split, index):
        how = {"position": self.position, "seed": self.seed + index, "dtype": self.network_dtype}
        sizes = split.kept_shape, 2 * split.free_shape[-1], self.hidden
        return ResidualConvNet(*sizes, blocks=self.blocks, **self.image_condition, **how)

    def _coupling(self, split, network):
        return AffineCoupling(split.event_shape, split, network, growth=self.growth, dtype=self.dtype)


@keras.saving.register_keras_serializable(package="flowzoo")
class RealNVP(Family):
    """Real NVP on continuous vectors, or on integer-valued images in logit space.

    Vectors: `depth` couplings whose masks alternate. Images: each scale has `depth` checkerboard couplings, a squeeze,
    and `depth` channel couplings; half of the channels are factored out between scales. ActNorm replaces batch
    normalisation.

    Reference: Dinh et al. 2017, Density estimation using Real NVP, arXiv:1605.08803.
    """

    Options = RealNVPOptions
