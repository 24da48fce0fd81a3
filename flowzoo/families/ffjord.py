"""FFJORD: a continuous flow of any network, by an estimate of the trace; with RNODE's penalties as switches."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from flowzoo.bijectors import Augment, Chain, Logit, UniformDequantization
from flowzoo.families.family import keywords
from flowzoo.families.neural_ode import ContinuousFlow, continuous_parts, multiscale
from flowzoo.families.vectors import way_in


@keras.saving.register_keras_serializable(package="flowzoo")
class FFJORD(ContinuousFlow):
    """Vectors or images along dx/dt = f(t, x); the trace of the Jacobian is estimated in training.

    Args:
      event_shape: (features,), or of integers any shape; with `multiscale` (height, width, channels) with sides
        divisible by 2^levels.
      bits: x holds integers 0 ... 2^bits - 1; 0 for continuous vectors.
      alpha: of the logit that integers pass; 0 for none.
      multiscale: convolutions at `levels` scales; without, integers are flattened for dense layers.
      levels: number of scales.
      depth: how many equations are solved one after the other (at each scale), each after an ActNorm.
      hidden: width of the networks.
      blocks: their hidden layers.
      activation: "tanh", "softplus" or "swish".
      augment: dimensions of noise that are added to continuous vectors; then `kind` is "lower_bound".
      time: the length of the way.
      method, rtol, atol, steps, max_steps, gradient: as of `flowzoo.ode.Solver`.
      probes, noise, exact_up_to, evaluation_probes: of the trace, as of `bijectors.Continuous`.
      kinetic, jacobian: weights of RNODE's penalties, whose paper has 0.01 for both; 0 for none.
      base: distribution of the latent, a key of `bases.NAMED`.
      classes: number of classes of a class-conditional model; 0 for none.
      condition_features: size of a condition vector; 0 for none.
      seed: of the initial weights and the probes.
      dtype: float32, or float64 for continuous vectors.
      standardize, bounds: as in `Family`; for continuous vectors.

    References: Grathwohl et al. 2019, FFJORD, arXiv:1810.01367; Finlay et al. 2020, How to train your neural ODE,
    arXiv:2002.02798; Dupont et al. 2019, Augmented neural ODEs, arXiv:1904.01681.
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (2,),
        bits: int = 0,
        alpha: float = 0.0,
        multiscale: bool = False,
        levels: int = 2,
        depth: int = 1,
        hidden: int = 64,
        blocks: int = 3,
        activation: str = "tanh",
        augment: int = 0,
        time: float = 1.0,
        method: str = "dopri5",
        rtol: float = 1e-6,
        atol: float = 1e-6,
        steps: int = 16,
        max_steps: int = 128,
        gradient: str = "solver",
        probes: int = 1,
        noise: str = "rademacher",
        exact_up_to: int = 64,
        evaluation_probes: int = 16,
        kinetic: float = 0.0,
        jacobian: float = 0.0,
        base: str = "normal",
        classes: int = 0,
        condition_features: int = 0,
        seed: int = 0,
        dtype: str = "float32",
        standardize: bool = False,
        bounds: Sequence | None = None,
        name: str | None = None,
    ):
        config = keywords(FFJORD.__init__, locals())
        make = _image_parts if multiscale else _vector_parts
        super().__init__(Chain(make(config)), config, name)


def _vector_parts(config):
    parts, features = way_in(config)
    if config["augment"]:
        if config["bits"]:
            raise ValueError(f"`augment` must be 0 for integers, got {config['augment']}.")
        parts.append(Augment((features,), config["augment"], dtype=config["dtype"]))
        features += config["augment"]
    return parts + continuous_parts(config, (features,))


def _image_parts(config):
    shape, bits, levels = tuple(config["event_shape"]), config["bits"], config["levels"]
    if not bits or config["augment"] or len(shape) != 3 or any(side % 2**levels for side in shape[:2]):
        raise ValueError(
            "`multiscale` takes `event_shape` (height, width, channels) with sides divisible by 2^levels, `bits` 1 to "
            f"16 and `augment` 0, got {shape}, levels {levels}, bits {bits}, augment {config['augment']}."
        )
    logit = [Logit(shape, config["alpha"])] if config["alpha"] else []
    return [UniformDequantization(shape, bits), *logit, multiscale(config, shape)]
