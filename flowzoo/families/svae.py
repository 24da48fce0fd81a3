"""Variational autoencoders whose latents lie on a sphere."""

from __future__ import annotations

import dataclasses

import keras

from flowzoo.bases import ON_SPHERE, ConditionalVonMisesFisher
from flowzoo.families import recurring
from flowzoo.families.autoencoder import AutoencoderOptions, activation, latent
from flowzoo.families.latent_variable import LatentVariableModel
from flowzoo.families.options import prior


@dataclasses.dataclass(frozen=True)
class SVAEOptions(AutoencoderOptions):
    """The options of `SVAE`."""

    kind = ConditionalVonMisesFisher

    latent: int = latent(3, "size m of z, a point of the sphere S^(m - 1).", least=2)
    hidden: int = recurring.hidden(
        256, "width of the networks where they meet x; each further layer towards z is half as wide."
    )
    activation: str = activation("relu")
    base: str = prior("sphere", tuple(ON_SPHERE), "ON_SPHERE")

    @property
    def widths(self) -> list[int]:
        return [max(1, self.hidden // 2**i) for i in range(self.blocks)]

    def describe(self) -> str:
        widths = ", ".join(map(str, self.widths))
        return (
            f"Hyperspherical variational autoencoder: z lies on the unit sphere in R^{self.latent}, uniform a priori "
            f"and von Mises-Fisher given x; a {self.observed} decoder; the networks have layers of {widths} units "
            f"({self.activation}), the decoder in reverse order."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class SVAE(LatentVariableModel):
    """A variational autoencoder whose z is a point of the unit sphere; densities of z are by the sphere's surface.

    z of `encode` has norm 1; `decode` and `likelihood` refuse any other. `interpolate` goes along great circles. The
    prior is uniform, so the temperature of `sample` changes nothing.

    Reference: Davidson et al. 2018, Hyperspherical variational auto-encoders, arXiv:1804.00891.
    """

    Options = SVAEOptions
