"""NICE: additive couplings and one learned scale per feature."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from flowzoo.bijectors import AdditiveCoupling, Chain, ChannelSplit, ElementwiseAffine
from flowzoo.conditioners import MLP
from flowzoo.core.checks import check_count
from flowzoo.families import steps
from flowzoo.families.family import Family, keywords
from flowzoo.families.vectors import evens_first, way_in


@keras.saving.register_keras_serializable(package="flowzoo")
class NICE(Family):
    """NICE on vectors, or on images of integers as vectors; only the scale at the end changes volume.

    Args:
      event_shape: (features,), or with `bits` any shape.
      bits: integers 0 ... 2^bits - 1; 0 for continuous vectors.
      depth: number of couplings, whose masks alternate; at least 2.
      hidden: width of the networks.
      blocks: hidden layers of each network.
      alpha: integers pass through a logit of this alpha; 0 leaves them in [0, 1), as in the paper.
      base: distribution of the latent, a key of `bases.NAMED`.
      classes: number of classes of a class-conditional model; 0 for none.
      condition_features: size of a condition vector; 0 for none.
      conditioner_dtype: Keras dtype policy of the networks, e.g. "mixed_bfloat16"; weights stay in `dtype`.
      seed: of the initial weights.
      dtype: float32, or float64 for continuous vectors.
      standardize, bounds: as in `Family`; for continuous vectors.

    Reference: Dinh et al. 2015, NICE: non-linear independent components estimation, arXiv:1410.8516.
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (2,),
        bits: int = 0,
        depth: int = 4,
        hidden: int = 64,
        blocks: int = 2,
        alpha: float = 0.0,
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
        config = keywords(NICE.__init__, locals())
        check_count(depth, "depth", 2)
        parts, features = way_in(config)
        steps.require_two((features,))
        condition, options = classes or condition_features, {"dtype": conditioner_dtype or dtype}
        parts.append(evens_first(features, dtype))
        for i in range(depth):
            split = ChannelSplit((features,), swap=i % 2 == 0)
            network = MLP(
                split.kept_shape[0], split.free_shape[0], [hidden] * blocks, condition, seed=seed + i, **options
            )
            parts.append(AdditiveCoupling((features,), split, network, dtype=dtype))
        parts.append(ElementwiseAffine((features,), dtype=dtype))
        super().__init__(Chain(parts), config, name)
