"""The planar flow."""

import dataclasses

import keras

from flowzoo.bijectors import Planar
from flowzoo.families.family import Family
from flowzoo.families.stack import StackOptions


@dataclasses.dataclass(frozen=True)
class PlanarFlowOptions(StackOptions):
    """The options of `PlanarFlow`."""

    layer = Planar

    def describe(self) -> str:
        return f"Planar flow: {self.depth} planar maps in a row, each a bend along one direction."


@keras.saving.register_keras_serializable(package="flowzoo")
class PlanarFlow(Family):
    """Planar maps of continuous vectors in a row, each after an ActNorm, for densities of data.

    Reference: Rezende & Mohamed 2015, Variational inference with normalizing flows, arXiv:1505.05770.
    """

    Options = PlanarFlowOptions
