"""Flow matching: a neural ODE trained along straight lines, with its exact density by solving it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras

from flowzoo.core.transform import Transform
from flowzoo.families import recurring
from flowzoo.families.neural_ode import ContinuousFlow, Estimated, Solved, activation, continuous_parts
from flowzoo.families.options import Options, counted, option, shape
from flowzoo.families.values import Number
from flowzoo.models.traced_option import TracedOption
from flowzoo.objectives.registry import check_objective


@dataclasses.dataclass(frozen=True)
class FlowMatchingOptions(Solved, Estimated, Options):
    """The options of `FlowMatching`."""

    depth = 1  # lines lead from the data to the latent, so one equation is all there is

    event_shape: Sequence[int] = shape()
    hidden: int = recurring.hidden(128)
    blocks: int = recurring.blocks(4)
    activation: str = activation("swish")
    gain: float = option(
        4.0, Number(), "scale of the initial kernels, relative to Glorot's; 4 makes up for gates and swish."
    )

    def build(self) -> list[Transform]:
        return continuous_parts(self, (self.features(),), self.seed)

    def describe(self) -> str:
        return (
            f"Flow matching: {self.depth} neural ODE after an ActNorm, solved by {self.method}, whose network has "
            f"{counted(self.blocks, 'concat-squash layer')} of {self.hidden} units; trained along straight "
            "lines between data and latent."
        )


@keras.saving.register_keras_serializable(package="flowzoo")
class FlowMatching(ContinuousFlow):
    """Vectors along dx/dt = f(t, x), trained without solving it; `log_prob`, `encode` and `sample` solve it.

    `fit` minimises `objectives.flow_matching`; `flow.training_objective = "likelihood"`, set before `compile`,
    continues by the likelihood; only there do `probes`, `kinetic` and `jacobian` matter.

    Reference: Lipman et al. 2023, Flow matching for generative modeling, arXiv:2210.02747.
    """

    Options = FlowMatchingOptions
    training_objective = TracedOption("flow_matching", check_objective)
