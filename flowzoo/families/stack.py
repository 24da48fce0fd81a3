"""What the planar and the radial flow share: many small layers, each after an ActNorm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from flowzoo.bijectors import ActNorm, Chain
from flowzoo.bijectors.parametric import Parametric
from flowzoo.conditioners import MLP
from flowzoo.families.family import Family, keywords


class Stack(Family):
    """`depth` times ActNorm and a `layer` on continuous vectors; with a condition each layer has a network for it.

    Args:
      event_shape: (features,).
      depth: number of layers.
      hidden: width of the networks, which have one hidden layer.
      base: distribution of the latent, a key of `bases.NAMED`.
      classes: number of classes of a class-conditional model; 0 for none.
      condition_features: size of a condition vector; 0 for none.
      conditioner_dtype: Keras dtype policy of the networks, e.g. "mixed_bfloat16"; weights stay in `dtype`.
      seed: of the initial weights.
      dtype: float32 or float64.
      standardize, bounds: as in `Family`; for continuous vectors.
    """

    layer: ClassVar[type[Parametric]]

    def __init__(
        self,
        event_shape: Sequence[int] = (2,),
        depth: int = 16,
        hidden: int = 64,
        base: str = "normal",
        classes: int = 0,
        condition_features: int = 0,
        conditioner_dtype: str | None = None,
        seed: int = 0,
        dtype: str = "float32",
        standardize: bool = False,
        bounds: Sequence | None = None,
        name: str | None = None,
    ):
        config = keywords(Stack.__init__, locals())
        shape = tuple(config["event_shape"])
        if len(shape) != 1:
            raise ValueError(f"{type(self).__name__} takes `event_shape` (features,), got {shape}.")
        conditioner_dtype, features = conditioner_dtype or dtype, classes or condition_features
        parts = []
        for i in range(depth):
            network = None
            if features:
                outputs = self.layer.parameter_count(shape[0])
                network = MLP(0, outputs, [hidden], features, seed=seed + i, dtype=conditioner_dtype)
            parts += [ActNorm(shape, dtype=dtype), self.layer(shape, network, seed=seed + i, dtype=dtype)]
        super().__init__(Chain(parts), config, name)
