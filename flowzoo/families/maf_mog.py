"""MAF MoG: a masked autoregressive flow that ends with mixtures of Gaussians of each feature."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras

from flowzoo.bijectors import Affine, GaussianMixtureMap
from flowzoo.core.transform import Transform
from flowzoo.families import recurring
from flowzoo.families.family import Family
from flowzoo.families.options import Options, option, shape
from flowzoo.families.values import WIDTH, Count
from flowzoo.families.vectors import autoregressive


@dataclasses.dataclass(frozen=True)
class MAFMoGOptions(Options):
    """The options of `MAFMoG`."""

    starts = ()  # units of masked networks would change places

    event_shape: Sequence[int] = shape((2,), "(features,), or with `bits` any shape.")
    bits: int = recurring.bits()
    depth: int = recurring.depth(5, "number of affine autoregressive layers before the mixtures.")
    components: int = option(
        10,
        Count(1, WIDTH),
        "Gaussians of each feature's mixture.",
        aka="mixtures n_components num_components",
        grows="width",
    )
    hidden: int = recurring.hidden()
    blocks: int = recurring.blocks(2, "hidden layers of each network; with `residual`, blocks of two.")
    growth: float = recurring.growth("bound on the log-scales in encode.")
    residual: bool = recurring.residual()
    random_order: bool = recurring.random_order()
    whiten: bool = recurring.whiten()
    alpha: float = recurring.alpha(1e-6)

    def build(self) -> list[Transform]:
        affine = Affine(growth=self.growth)
        return autoregressive(self, (affine, self.depth), (GaussianMixtureMap(self.components), 1))

    def describe(self) -> str:
        return (
            f"Masked autoregressive flow: {self.depth} affine layers, then an autoregressive mixture of "
            f"{self.components} Gaussians per feature; masked networks of {self.hidden} units. Densities take one pass."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class MAFMoG(Family):
    """MAF whose base is an autoregressive density with mixture-of-Gaussians conditionals (MADE MoG).

    Reference: Papamakarios et al. 2017, Masked autoregressive flow for density estimation, arXiv:1705.07057.
    """

    Options = MAFMoGOptions
