"""Real NVP: affine couplings with alternating masks, on vectors and on images."""

from __future__ import annotations

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
from flowzoo.families import steps
from flowzoo.families.family import Family, keywords
from flowzoo.families.vectors import evens_first


@keras.saving.register_keras_serializable(package="flowzoo")
class RealNVP(Family):
    """Real NVP on continuous vectors, or on images of integers in logit space.

    Vectors: `depth` couplings whose masks alternate. Images: each scale has `depth` checkerboard couplings, a squeeze,
    and `depth` channel couplings; half of the channels leave between scales. ActNorm stands for batch normalisation.

    Args:
      event_shape: (features,) or (height, width, channels) with sides divisible by 2^levels.
      bits: images: pixels are integers 0 ... 2^bits - 1. Vectors are continuous: 0.
      levels: number of scales, images only.
      depth: couplings of each kind per scale, or in all for vectors.
      hidden: width of the networks.
      blocks: hidden layers (vectors) or residual blocks (images) of each network.
      growth: bound on the log-scales of the couplings in encode; a small one (0.5) keeps deep stacks stable.
      alpha: of the logit; 0 only centres pixels. Images only.
      noise_depth: couplings of the flow that draws the noise of variational dequantization, images only; 0 for uniform.
      noise_hidden: channels of the hidden layers of its networks.
      position: give image networks a learned bias per position; good for aligned data. Images only.
      base: distribution of the latent, a key of `bases.NAMED`.
      classes: number of classes of a class-conditional model; 0 for none.
      condition_features: size of a condition vector; 0 for none.
      conditioner_dtype: Keras dtype policy of the networks, e.g. "mixed_bfloat16"; weights stay in `dtype`.
      seed: of the initial weights.
      dtype: float32, or float64 for vectors.
      standardize, bounds: as in `Family`; for continuous vectors.

    Reference: Dinh et al. 2017, Density estimation using Real NVP, arXiv:1605.08803.
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (2,),
        bits: int = 0,
        levels: int = 2,
        depth: int = 4,
        hidden: int = 64,
        blocks: int = 2,
        growth: float = 2.0,
        alpha: float = 0.05,
        position: bool = False,
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
        config = keywords(RealNVP.__init__, locals())
        shape = steps.checked("RealNVP", config, "position", "noise_depth")
        conditioner_dtype = conditioner_dtype or dtype
        if bits:

            def network(split, index):
                channels = 2 * split.free_shape[-1]
                options = {"classes": classes, "position": position, "seed": seed + index, "dtype": conditioner_dtype}
                return ResidualConvNet(split.kept_shape, channels, hidden, condition_features, blocks, **options)

            parts = steps.way_in(shape, bits, alpha, noise_depth, noise_hidden, seed, conditioner_dtype)
            parts.append(_scales(shape, levels, depth, network, growth))
        else:

            def network(split, index):
                width, outputs, features = split.kept_shape[0], 2 * split.free_shape[0], classes or condition_features
                return MLP(width, outputs, [hidden] * blocks, features, seed=seed + index, dtype=conditioner_dtype)

            parts = _vector_parts(shape, depth, network, growth, dtype)
        super().__init__(Chain(parts), config, name)


def _vector_parts(shape, depth, network, growth, dtype):
    parts = [evens_first(shape[0], dtype)]
    for i in range(depth):
        split = ChannelSplit(shape, swap=i % 2 == 0)
        coupling = AffineCoupling(shape, split, network(split, i), growth=growth, dtype=dtype)
        parts += [ActNorm(shape, dtype=dtype), coupling]
    return parts


def _scales(shape, levels, depth, network, growth):
    stages, index = [], 0
    for _ in range(levels):
        parts, splits = [], [CheckerboardSplit(shape, swap=bool(i % 2)) for i in range(depth)]
        squeeze = Squeeze(shape)
        splits += [squeeze, *(ChannelSplit(squeeze.latent_shape, swap=bool(i % 2)) for i in range(depth))]
        for split in splits:
            if split is squeeze:
                parts.append(squeeze)
                shape = squeeze.latent_shape
                continue
            index += 1
            parts += [ActNorm(shape), AffineCoupling(shape, split, network(split, index), growth=growth)]
        stages.append(Chain(parts))
        shape = (*shape[:2], shape[2] - shape[2] // 2)
    return Multiscale(stages)
