"""Variational autoencoders with dense networks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import keras

from flowzoo.bases import ConditionalBernoulli, ConditionalFlow, ConditionalNormal
from flowzoo.conditioners import MLP
from flowzoo.core.transform import Transform
from flowzoo.families import nested, recurring
from flowzoo.families.latent_variable import LatentVariableModel
from flowzoo.families.options import MixedPrecision, Options, option, shape
from flowzoo.families.values import WIDTH, Count, NamedOr, OneOf
from flowzoo.surjections import Stochastic

NORMAL = "normal"


@dataclasses.dataclass(frozen=True)
class VAEOptions(Options, MixedPrecision):
    """The options of `VAE`."""

    depth, dequantizes = 1, False

    event_shape: Sequence[int] = shape((2,), "of one example; any shape.")
    bits: int = option(0, Count(0, 1), "1: x is binary, with a Bernoulli decoder; 0: real numbers, with a normal one.")
    latent: int = option(2, Count(1, WIDTH), "size of z.", aka="latent_dim latent_size z_dim latents bottleneck")
    hidden: int = recurring.hidden(200)
    blocks: int = recurring.blocks()
    activation: str = option("tanh", OneOf(("gelu", "relu", "swish", "tanh")), "between the layers of the networks.")
    base: str | Mapping = option("normal", NamedOr(tuple(bases.NAMED)), "distribution of the latent.", aka=PRIOR)
    posterior: str | Mapping = option(
        NORMAL, NamedOr((NORMAL,)), "q(z | x): normal, or with a flow on top, which is given features of x."
    )

    def build(self) -> list[Transform]:
        size, conditions = math.prod(self.event_shape), self.condition_size
        latent, hidden = (self.latent,), [self.hidden] * self.blocks
        how = {"activation": self.activation, "dtype": self.network_dtype}
        features = 0 if self.posterior == NORMAL else self.hidden
        outputs = 2 * self.latent + features
        inference = MLP(size + conditions, outputs, hidden, random_outputs=features, seed=self.seed, **how)
        given = latent, size + conditions, inference
        if self.posterior == NORMAL:
            posterior = ConditionalNormal(*given, dtype=self.dtype)
        else:
            own = {"condition_features": features, "seed": self.seed + 2, "dtype": self.dtype}
            flow = nested.drawing(nested.transform(self.posterior, "posterior", [NORMAL], self.latent, **own))
            posterior = ConditionalFlow(*given, flow, dtype=self.dtype)
        kind, outputs = (ConditionalBernoulli, size) if self.bits else (ConditionalNormal, 2 * size)
        network = MLP(self.latent + conditions, outputs, hidden, seed=self.seed + 1, **how)
        decoder = kind(self.event_shape, self.latent + conditions, network, dtype=self.dtype)
        return [Stochastic(posterior, decoder)]

    def latent_distribution(self, latent_shape: Sequence[int], dtype: str) -> bases.Base:
        if self.base in tuple(bases.NAMED):
            return super().latent_distribution(latent_shape, dtype)
        own = {"condition_features": self.condition_size, "seed": self.seed + 3, "dtype": dtype}
        flow = nested.transform(self.base, "base", bases.NAMED, *latent_shape, **own)
        return bases.Transformed(flow, bases.StandardNormal(latent_shape, dtype=dtype))

    def describe(self) -> str:
        observed, flow = "Bernoulli" if self.bits else "normal", called(self.posterior)
        posterior = NORMAL if flow == NORMAL else f"normal with a flow ({flow}) on top"
        return (
            f"Variational autoencoder: {self.depth} stochastic layer of {self.latent} latents, {posterior} given x, "
            f"and a {observed} decoder; both networks have {self.blocks} layers of {self.hidden} units "
            f"({self.activation})."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class VAE(LatentVariableModel):
    """Data explained by a smaller latent; `log_prob` is a lower bound, which more `samples` tighten.

    Reference: Kingma & Welling 2014, Auto-encoding variational Bayes, arXiv:1312.6114.
    """

    Options = VAEOptions
