"""FFJORD: a continuous flow with any network, by estimating the trace; RNODE's penalties are options."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras

from flowzoo.bijectors import Chain, Logit, Multiscale, Squeeze
from flowzoo.core.transform import Transform
from flowzoo.families import recurring
from flowzoo.families.neural_ode import ContinuousFlow, Estimated, Solved, activation, continuous_parts
from flowzoo.families.options import Options, counted, option, shape
from flowzoo.families.values import LAYERS, Count, Flag
from flowzoo.families.vectors import way_in
from flowzoo.surjections import Augment, UniformDequantization


@dataclasses.dataclass(frozen=True)
class FFJORDOptions(Solved, Estimated, Options):
    """The options of `FFJORD`."""

    event_shape: Sequence[int] = shape(
        (2,),
        "(features,), or for integers any shape; with `multiscale`, (height, width, channels), both sides divisible by "
        "2^levels.",
    )
    bits: int = recurring.bits()
    alpha: float = recurring.alpha(0.0)
    multiscale: bool = option(
        False,
        Flag(),
        "convolutions at `levels` scales; without, integers are flattened for dense layers.",
        only="images",
    )
    levels: int = recurring.levels(2)
    depth: int = recurring.depth(1, "number of ODEs solved one after another (at each scale), each after an ActNorm.")
    hidden: int = recurring.hidden()
    blocks: int = recurring.blocks(3)
    activation: str = activation()
    augment: int = option(
        0, Count(0, LAYERS), 'noise dimensions added to continuous vectors; `kind` is then "lower_bound".'
    )

    def build(self) -> list[Transform]:
        return self._image_parts() if self.multiscale else self._vector_parts()

    def describe(self) -> str:
        odes, layers = counted(self.depth, "neural ODE"), counted(self.blocks, "concat-squash layer")
        if self.multiscale:
            return (
                f"FFJORD: {counted(self.levels, 'scale')} of {odes}, each after an ActNorm, solved by {self.method}, "
                f"whose networks have {layers} of {self.hidden} channels; "
                "half of the channels are factored out between scales."
            )
        return (
            f"FFJORD: {odes}, each after an ActNorm, solved by {self.method}, whose networks have {layers} of "
            f"{self.hidden} units."
        )

    def _vector_parts(self):
        parts, features = way_in(self)
        if self.augment:
            if self.bits:
                raise ValueError(f"`augment` must be 0 for integers, got {self.augment}.")
            parts.append(Augment((features,), self.augment, dtype=self.dtype))
            features += self.augment
        return parts + continuous_parts(self, (features,), self.seed)

    def _image_parts(self):
        shape = self.event_shape
        if not self.bits or self.augment or len(shape) != 3 or any(side % 2**self.levels for side in shape[:2]):
            raise ValueError(
                "`multiscale` takes `event_shape` (height, width, channels) with sides divisible by 2^levels, `bits` 1 "
                f"to 16 and `augment` 0, got {shape}, levels {self.levels}, bits {self.bits}, augment {self.augment}."
            )
        logit = [Logit(shape, self.alpha)] if self.alpha else []
        return [UniformDequantization(shape, self.bits), *logit, self._scales(shape)]

    def _scales(self, shape):
        """At each of `levels` scales a squeeze and `depth` ODEs; half of the channels are factored out in between."""
        scales = []
        for level in range(self.levels):
            squeeze = Squeeze(shape)
            shape, seed = squeeze.latent_shape, self.seed + level * self.depth
            scales.append(Chain([squeeze, *continuous_parts(self, shape, seed)]))
            shape = (*shape[:2], shape[2] - shape[2] // 2)
        return Multiscale(scales)


@keras.saving.register_keras_serializable(package="flowzoo")
class FFJORD(ContinuousFlow):
    """Vectors or images along dx/dt = f(t, x); the trace of the Jacobian is estimated in training.

    References: Grathwohl et al. 2019, FFJORD, arXiv:1810.01367; Finlay et al. 2020, How to train your neural ODE,
    arXiv:2002.02798; Dupont et al. 2019, Augmented neural ODEs, arXiv:1904.01681.
    """

    Options = FFJORDOptions
