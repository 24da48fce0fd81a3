"""What variational autoencoders with dense networks share: their options, and how they are built."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from flowzoo.bases import ConditionalBernoulli, ConditionalNormal
from flowzoo.bases.conditional import GivenNetwork
from flowzoo.conditioners import MLP
from flowzoo.core.transform import Transform
from flowzoo.families import recurring
from flowzoo.families.options import MixedPrecision, Options, option, shape
from flowzoo.families.values import WIDTH, Count, OneOf
from flowzoo.surjections import Stochastic


def latent(default: int, doc: str, least: int = 1) -> Any:
    """The option for the size of z."""
    return option(default, Count(least, WIDTH), doc, aka="latent_dim latent_size z_dim latents bottleneck")


def activation(default: str) -> Any:
    """The option for the activation of the networks."""
    return option(default, OneOf(("gelu", "relu", "swish", "tanh")), "between the layers of the networks.")


@dataclasses.dataclass(frozen=True)
class AutoencoderOptions(Options, MixedPrecision):
    """The options of an autoencoder, of which a family declares those with defaults of its own.

    Attributes:
      kind: the class of q(z | x).
    """

    depth, dequantizes = 1, False
    kind: ClassVar[type[GivenNetwork]]

    event_shape: Sequence[int] = shape((2,), "of one example; any shape.")
    bits: int = option(0, Count(0, 1), "1: x is binary, with a Bernoulli decoder; 0: real numbers, with a normal one.")
    latent: int = latent(2, "size of z.")
    hidden: int = recurring.hidden(200)
    blocks: int = recurring.blocks()
    activation: str = activation("tanh")

    @property
    def widths(self) -> list[int]:
        """The widths of the posterior's network; those of the decoder are the same from last to first."""
        return [self.hidden] * self.blocks

    @property
    def observed(self) -> str:
        """What x is, given z."""
        return "Bernoulli" if self.bits else "normal"

    def build(self) -> list[Transform]:
        size, conditions = math.prod(self.event_shape), self.condition_size
        how = {"activation": self.activation, "dtype": self.network_dtype}
        posterior = self.posterior_given(size + conditions, how)
        kind = ConditionalBernoulli if self.bits else ConditionalNormal
        outputs = kind.outputs(self.event_shape)
        network = MLP(self.latent + conditions, outputs, self.widths[::-1], seed=self.seed + 1, **how)
        decoder = kind(self.event_shape, self.latent + conditions, network, dtype=self.dtype)
        return [Stochastic(posterior, decoder)]

    def posterior_given(self, inputs: int, how: Mapping[str, str]) -> GivenNetwork:
        """q(z | x), by a network that takes `inputs` numbers; `how` are options of networks."""
        outputs = self.kind.outputs((self.latent,))
        network = MLP(inputs, outputs, self.widths, seed=self.seed, **how)
        return self.kind((self.latent,), inputs, network, dtype=self.dtype)
