"""The radial flow."""

import dataclasses

import keras

from flowzoo.bijectors import Radial
from flowzoo.families.family import Family
from flowzoo.families.stack import StackOptions


@dataclasses.dataclass(frozen=True)
class RadialFlowOptions(StackOptions):
    """The options of `RadialFlow`."""

    layer = Radial

    def describe(self) -> str:
        return f"Radial flow: {self.depth} radial maps in a row, each a contraction or expansion about one point."


@keras.saving.register_keras_serializable(package="flowzoo")
class RadialFlow(Family):
    """Radial maps of continuous vectors in a row, each after an ActNorm, for densities of data.

    Reference: Rezende & Mohamed 2015, Variational inference with normalizing flows, arXiv:1505.05770.
    """

    Options = RadialFlowOptions
