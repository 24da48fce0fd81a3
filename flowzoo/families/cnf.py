"""Continuous normalizing flow with the exact trace."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras

from flowzoo.core.transform import Transform
from flowzoo.families import recurring
from flowzoo.families.neural_ode import ContinuousFlow, Solved, activation, continuous_parts
from flowzoo.families.options import Options, counted, shape


@dataclasses.dataclass(frozen=True)
class CNFOptions(Solved, Options):
    """The options of `CNF`."""

    probes = 0  # also in training

    event_shape: Sequence[int] = shape((2,), "(features,); few, as the trace costs one derivative per feature.")
    depth: int = recurring.depth(1, "number of ODEs solved one after another, each after an ActNorm.")
    hidden: int = recurring.hidden()
    blocks: int = recurring.blocks()
    activation: str = activation()

    @property
    def exact_up_to(self) -> int:
        return self.features()

    def build(self) -> list[Transform]:
        return continuous_parts(self, (self.features(),), self.seed)

    def describe(self) -> str:
        return (
            f"Continuous normalizing flow: {counted(self.depth, 'neural ODE')}, each after an ActNorm, solved by "
            f"{self.method}, whose networks have {counted(self.blocks, 'layer')} of {self.hidden} units; exact trace."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class CNF(ContinuousFlow):
    """Vectors along dx/dt = f(t, x), with the trace of the Jacobian summed over all directions, in training too.

    The networks are FFJORD's; the paper's are planar ones.

    Reference: Chen et al. 2018, Neural ordinary differential equations, arXiv:1806.07366.
    """

    Options = CNFOptions
