"""Inverse autoregressive flow: the layers of a masked one the other way round, with fast samples."""

import dataclasses

import keras

from flowzoo.families.affine_autoregressive import AffineAutoregressiveOptions
from flowzoo.families.family import Family


@dataclasses.dataclass(frozen=True)
class IAFOptions(AffineAutoregressiveOptions):
    """The options of `IAF`."""

    invert = True

    def describe(self) -> str:
        return (
            f"Inverse autoregressive flow: {self.depth} affine layers by masked networks of {self.hidden} units. "
            "Samples take one pass, densities one step per feature."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class IAF(Family):
    """Affine autoregressive layers, inverted: samples take one pass, densities go feature by feature.

    Reference: Kingma et al. 2016, Improving variational inference with inverse autoregressive flow, arXiv:1606.04934.
    """

    Options = IAFOptions
