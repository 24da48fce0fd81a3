"""Continuous normalizing flow with the exact trace."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from flowzoo.bijectors import Chain
from flowzoo.families.family import keywords
from flowzoo.families.neural_ode import ContinuousFlow, continuous_parts


@keras.saving.register_keras_serializable(package="flowzoo")
class CNF(ContinuousFlow):
    """Vectors along dx/dt = f(t, x), with the trace of the Jacobian summed over all directions, in training too.

    The networks are FFJORD's; the paper's are planar ones.

    Args:
      event_shape: (features,), few of them: the trace costs as many derivatives.
      depth: how many equations are solved one after the other, each after an ActNorm.
      hidden: width of the networks.
      blocks: their hidden layers.
      activation: "tanh", "softplus" or "swish".
      time: the length of the way.
      method, rtol, atol, steps, max_steps, gradient: as of `flowzoo.ode.Solver`.
      base: distribution of the latent, a key of `bases.NAMED`.
      classes: number of classes of a class-conditional model; 0 for none.
      condition_features: size of a condition vector; 0 for none.
      seed: of the initial weights.
      dtype: float32 or float64.
      standardize, bounds: as in `Family`; for continuous vectors.

    Reference: Chen et al. 2018, Neural ordinary differential equations, arXiv:1806.07366.
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (2,),
        depth: int = 1,
        hidden: int = 64,
        blocks: int = 2,
        activation: str = "tanh",
        time: float = 1.0,
        method: str = "dopri5",
        rtol: float = 1e-6,
        atol: float = 1e-6,
        steps: int = 16,
        max_steps: int = 128,
        gradient: str = "solver",
        base: str = "normal",
        classes: int = 0,
        condition_features: int = 0,
        seed: int = 0,
        dtype: str = "float32",
        standardize: bool = False,
        bounds: Sequence | None = None,
        name: str | None = None,
    ):
        config = keywords(CNF.__init__, locals())
        shape = tuple(config["event_shape"])
        if len(shape) != 1:
            raise ValueError(f"CNF takes `event_shape` (features,), got {shape}. FFJORD also takes images.")
        exact = {"probes": 0, "exact_up_to": shape[0]}
        super().__init__(Chain(continuous_parts(config | exact, shape)), config, name)
