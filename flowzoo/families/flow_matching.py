"""Flow matching: a neural ODE trained along straight lines, with its exact density by solving it."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from flowzoo.bijectors import Chain
from flowzoo.families.family import keywords
from flowzoo.families.neural_ode import ContinuousFlow, continuous_parts
from flowzoo.models.traced_option import TracedOption
from flowzoo.objectives import check_objective


@keras.saving.register_keras_serializable(package="flowzoo")
class FlowMatching(ContinuousFlow):
    """Vectors along dx/dt = f(t, x), trained without solving it; `log_prob`, `encode` and `sample` solve it.

    `fit` minimises flow matching, |f(t, y_t) - (z - y)|^2 per dimension; with `flow.training_objective = "likelihood"`,
    set before `compile`, it goes on by the likelihood.

    Args:
      event_shape: (features,).
      hidden: width of the network.
      blocks: its hidden layers.
      activation: "tanh", "softplus" or "swish".
      method, rtol, atol, steps, max_steps, gradient: as of `flowzoo.ode.Solver`.
      probes, exact_up_to, evaluation_probes: of the trace, as of `bijectors.Continuous`; `probes` in training by the
        likelihood.
      base: distribution of the latent, a key of `bases.NAMED`.
      classes: number of classes of a class-conditional model; 0 for none.
      condition_features: size of a condition vector; 0 for none.
      seed: of the initial weights and the probes.
      dtype: float32 or float64.
      standardize, bounds: as in `Family`.

    Reference: Lipman et al. 2023, Flow matching for generative modeling, arXiv:2210.02747.
    """

    training_objective = TracedOption("flow_matching", check_objective)

    def __init__(
        self,
        event_shape: Sequence[int] = (2,),
        hidden: int = 128,
        blocks: int = 4,
        activation: str = "swish",
        method: str = "dopri5",
        rtol: float = 1e-5,
        atol: float = 1e-5,
        steps: int = 16,
        max_steps: int = 256,
        gradient: str = "solver",
        probes: int = 0,
        exact_up_to: int = 64,
        evaluation_probes: int = 16,
        base: str = "normal",
        classes: int = 0,
        condition_features: int = 0,
        seed: int = 0,
        dtype: str = "float32",
        standardize: bool = False,
        bounds: Sequence | None = None,
        name: str | None = None,
    ):
        config = keywords(FlowMatching.__init__, locals())
        shape = tuple(config["event_shape"])
        if len(shape) != 1:
            raise ValueError(f"FlowMatching takes `event_shape` (features,), got {shape}. FFJORD also takes images.")
        super().__init__(Chain(continuous_parts(config | {"depth": 1}, shape)), config, name)
