"""What families of vector flows share: the way in from data, and how layers are stacked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from flowzoo.bijectors import (
    ActNorm,
    Autoregressive,
    Flatten,
    Invert,
    Logit,
    Permutation,
    ScalarMap,
    UniformDequantization,
)
from flowzoo.conditioners import MADE
from flowzoo.flows.door import check_counts, check_flag, check_shape
from flowzoo.transform import Transform


def way_in(event_shape: Sequence[int], bits: int, alpha: float, dtype: str) -> tuple[list[Transform], int]:
    """The transforms that make a vector of an example, and its number of features.

    Args:
      event_shape: (features,) with `bits` 0, or any shape of integers.
      bits: integers 0 ... 2^bits - 1 are dequantized, pass a logit and become a vector; 0 for continuous vectors.
      alpha: of the logit; 0 leaves out the logit.
      dtype: of continuous vectors; integers need float32.

    Raises:
      ValueError: the shape or the dtype does not suit `bits`.
    """
    check_counts(0, bits=bits)
    shape = check_shape(event_shape, "event_shape")
    if not bits:
        if len(shape) != 1:
            raise ValueError(
                f"`event_shape` must be (features,) with `bits` 0, got {shape}. Flatten continuous data first; for "
                "images of integers give their `bits`."
            )
        return [], shape[0]
    if dtype != "float32":
        raise ValueError(f"`dtype` must be 'float32' for integers, got {dtype!r}.")
    logit = [Logit(shape, alpha)] if alpha else []
    return [UniformDequantization(shape, bits), *logit, Flatten(shape)], math.prod(shape)


def evens_first(features: int, dtype: str) -> Permutation:
    """Puts the even features before the odd ones, so that alternating masks are halves: one gather, not many."""
    order = [*range(0, features, 2), *range(1, features, 2)]
    return Permutation((features,), order, dtype=dtype)


def autoregressive(config: dict[str, Any], *stacks: tuple[ScalarMap, int], invert: bool = False) -> list[Transform]:
    """`way_in`, then for each stack `depth` times an ActNorm and an autoregressive layer.

    Within a stack the order of the features turns round from layer to layer; random orders are the same for every seed.

    Args:
      config: the keywords of the family, all of which have `event_shape`, `bits`, `alpha`, `hidden`, `blocks`,
        `residual`, `random_order`, `classes`, `condition_features`, `seed` and `dtype`.
      stacks: the map of each feature, and the depth.
      invert: fast in decode instead of encode.
    """
    hidden, blocks, residual, dtype = (config[key] for key in ("hidden", "blocks", "residual", "dtype"))
    parts, features = way_in(config["event_shape"], config["bits"], config["alpha"], dtype)
    condition_features, index = config["classes"] or config["condition_features"], itertools.count(config["seed"])
    check_counts(1, hidden=hidden, blocks=blocks)
    check_counts(0, condition_features=condition_features)
    check_flag(residual, "residual"), check_flag(config["random_order"], "random_order")
    widths = [hidden] * (1 + 2 * blocks if residual else blocks)
    for scalar, depth in stacks:
        check_counts(1, depth=depth)
        for i in range(depth):
            order = np.arange(features)[:: -1 if i % 2 else 1]
            if config["random_order"]:
                order = np.random.default_rng(i).permutation(features)  # no weight holds it, so no seed may change it
            options = {"order": order, "residual": residual, "seed": next(index), "dtype": dtype}
            network = MADE(features, scalar.outputs_per_entry, widths, condition_features, **options)
            layer = Autoregressive(network, scalar, dtype=dtype)
            parts += [ActNorm((features,), dtype=dtype), Invert(layer) if invert else layer]
    return parts
