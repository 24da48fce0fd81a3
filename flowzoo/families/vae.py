"""Variational autoencoders with dense networks."""

from __future__ import annotations

import dataclasses

import keras

from flowzoo.bases import ConditionalNormal
from flowzoo.families.autoencoder import AutoencoderOptions
from flowzoo.families.latent_variable import LatentVariableModel


@dataclasses.dataclass(frozen=True)
class VAEOptions(AutoencoderOptions):
    """The options of `VAE`."""

    posterior = ConditionalNormal

    def describe(self) -> str:
        return (
            f"Variational autoencoder: {self.depth} stochastic layer of {self.latent} latents, normal given x, and "
            f"a {self.observed} decoder; both networks have {self.blocks} layers of {self.hidden} units "
            f"({self.activation})."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class VAE(LatentVariableModel):
    """Data explained by a smaller latent; `log_prob` is a lower bound, which more `samples` tighten.

    Reference: Kingma & Welling 2014, Auto-encoding variational Bayes, arXiv:1312.6114.
    """

    Options = VAEOptions
