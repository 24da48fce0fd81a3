"""What families of vector flows share: the way in from data, and how layers are stacked."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
from flowzoo.transform import Bijector, Transform


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


def autoregressive_layers(
    features: int,
    scalar: ScalarMap,
    condition_features: int,
    *,
    depth: int,
    hidden: int,
    blocks: int,
    residual: bool,
    random_order: bool,
    seed: int,
    dtype: str,
    invert: bool = False,
) -> list[Bijector]:
    """`depth` times an ActNorm and an autoregressive layer; the order of the features turns round from layer to layer.

    Args:
      features: D.
      scalar: the map of each feature.
      condition_features: what the networks take as condition; 0 for none.
      depth: number of layers.
      hidden: width of the networks.
      blocks: their hidden layers; with `residual` blocks of two with a skip connection, after one layer.
      residual: as in `MADE`.
      random_order: a random order in each layer instead, the same ones for every seed.
      seed: of the initial weights.
      dtype: float32 or float64.
      invert: fast in decode instead of encode.
    """
    check_counts(1, depth=depth, hidden=hidden, blocks=blocks)
    check_counts(0, condition_features=condition_features)
    check_flag(residual, "residual"), check_flag(random_order, "random_order")
    layers, widths = [], [hidden] * (1 + 2 * blocks if residual else blocks)
    for i in range(depth):
        order = np.arange(features)[:: -1 if i % 2 else 1]
        if random_order:
            order = np.random.default_rng(i).permutation(features)  # no weight holds it, so no seed may change it
        options = {"order": order, "residual": residual, "seed": seed + i, "dtype": dtype}
        network = MADE(features, scalar.outputs_per_entry, widths, condition_features, **options)
        layer = Autoregressive(network, scalar, dtype=dtype)
        layers += [ActNorm((features,), dtype=dtype), Invert(layer) if invert else layer]
    return layers
