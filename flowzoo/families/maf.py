"""Masked autoregressive flow: affine maps of each feature given those before it, with fast densities."""

import dataclasses

import keras

from flowzoo.families.affine_autoregressive import AffineAutoregressiveOptions
from flowzoo.families.family import Family


@dataclasses.dataclass(frozen=True)
class MAFOptions(AffineAutoregressiveOptions):
    """The options of `MAF`."""

    invert = False

    def describe(self) -> str:
        return (
            f"Masked autoregressive flow: {self.depth} affine layers, each feature given those before it, by masked "
            f"networks of {self.hidden} units. Densities take one pass, samples one step per feature."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class MAF(Family):
    """Affine autoregressive layers: densities take one pass, samples go feature by feature.

    Reference: Papamakarios et al. 2017, Masked autoregressive flow for density estimation, arXiv:1705.07057.
    """

    Options = MAFOptions
