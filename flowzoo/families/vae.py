"""Variational autoencoders with dense networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import keras

from flowzoo import bases
from flowzoo.bases.conditional import GivenNetwork
from flowzoo.conditioners import MLP
from flowzoo.families import nested
from flowzoo.families.autoencoder import AutoencoderOptions
from flowzoo.families.latent_variable import LatentVariableModel
from flowzoo.families.options import Options, option, prior
from flowzoo.families.values import NamedOr, called

NORMAL = "normal"


@dataclasses.dataclass(frozen=True)
class _Flowed(Options):
    """What follows the options of all autoencoders."""

    posterior: str | Mapping = option(
        NORMAL, NamedOr((NORMAL,)), "q(z | x): normal, or with a flow on top, which is given features of x."
    )


@dataclasses.dataclass(frozen=True)
class VAEOptions(AutoencoderOptions, _Flowed):
    """The options of `VAE`."""

    kind = bases.ConditionalNormal

    base: str | Mapping = prior(NORMAL, families=True)

    def posterior_given(self, inputs: int, how: Mapping[str, str]) -> GivenNetwork:
        if self.posterior == NORMAL:
            return super().posterior_given(inputs, how)
        features, shape = self.hidden, (self.latent,)
        own = {"condition_features": features, "seed": self.seed + 2, "dtype": self.dtype}
        flow = nested.drawing(nested.transform(self.posterior, "posterior", [NORMAL], self.latent, **own))
        outputs = self.kind.outputs(shape) + features
        network = MLP(inputs, outputs, self.widths, random_outputs=features, seed=self.seed, **how)
        return bases.ConditionalFlow(shape, inputs, network, flow, dtype=self.dtype)

    def latent_distribution(self, latent_shape: Sequence[int], dtype: str) -> bases.Base:
        if isinstance(self.base, str) and self.base in bases.NAMED:
            return super().latent_distribution(latent_shape, dtype)
        own = {"condition_features": self.condition_size, "seed": self.seed + 3, "dtype": dtype}
        flow = nested.transform(self.base, "base", bases.NAMED, *latent_shape, **own)
        return bases.Transformed(flow, bases.StandardNormal(latent_shape, dtype=dtype))

    def describe(self) -> str:
        flow = called(self.posterior)
        posterior = NORMAL if flow == NORMAL else f"normal with a flow ({flow}) on top"
        return (
            f"Variational autoencoder: {self.depth} stochastic layer of {self.latent} latents, {posterior} given x, "
            f"and a {self.observed} decoder; both networks have {self.blocks} layers of {self.hidden} units "
            f"({self.activation})."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class VAE(LatentVariableModel):
    """Data explained by a smaller latent; `log_prob` is a lower bound, which more `samples` tighten.

    Reference: Kingma & Welling 2014, Auto-encoding variational Bayes, arXiv:1312.6114.
    """

    Options = VAEOptions
