"""What families of vector flows share: how data become a vector, and how layers are stacked."""

from __future__ import annotations

import itertools
import math

import numpy as np

from flowzoo.bijectors import ActNorm, Autoregressive, Flatten, Invert, Logit, Permutation, ScalarMap, Whitening
from flowzoo.conditioners import MADE
from flowzoo.core.transform import Transform
from flowzoo.families.options import Options
from flowzoo.surjections import UniformDequantization


def way_in(options: Options) -> tuple[list[Transform], int]:
    """The transforms that turn an example into a vector, and its number of features.

    Args:
      options: of the family: `event_shape`, (features,) or for integers any shape; their `bits`, or 0 for continuous
        vectors; `alpha` of the logit that integers pass through once they are dequantized, or 0 for none.

    Raises:
      ValueError: the shape does not suit `bits`.
    """
    shape, bits, alpha = options.event_shape, options.bits, options.alpha
    if not bits:
        if len(shape) != 1:
            raise ValueError(
                f"`event_shape` must be (features,) with `bits` 0, got {shape}. Flatten continuous data first; for "
                "images of integers give their `bits`."
            )
        return [], shape[0]
    logit = [Logit(shape, alpha)] if alpha else []
    return [UniformDequantization(shape, bits), *logit, Flatten(shape)], math.prod(shape)


def evens_first(features: int, dtype: str) -> Permutation:
    """Puts the even features before the odd ones, so that alternating masks are halves: one gather, not many."""
    order = [*range(0, features, 2), *range(1, features, 2)]
    return Permutation((features,), order, dtype=dtype)


def autoregressive(options: Options, *stacks: tuple[ScalarMap, int], invert: bool = False) -> list[Transform]:
    """`way_in`, then for each stack `depth` times an ActNorm and an autoregressive layer.

    Within a stack the order of the features is reversed from layer to layer; random orders are the same for every seed.

    Args:
      options: of the family, all of which have `event_shape`, `bits`, `alpha`, `hidden`, `blocks`, `residual`,
        `random_order` and `whiten`.
      stacks: the map of each feature, and the depth.
      invert: fast in decode instead of encode.
    """
    (parts, features), dtype, residual = way_in(options), options.dtype, options.residual
    if options.whiten:
        parts.append(Whitening((features,), dtype=dtype))
    index = itertools.count(options.seed)
    widths = [options.hidden] * (1 + 2 * options.blocks if residual else options.blocks)
    for scalar, depth in stacks:
        for i in range(depth):
            order = np.arange(features)[:: -1 if i % 2 else 1]
            if options.random_order:
                order = np.random.default_rng(i).permutation(features)  # no weight holds it, so no seed may change it
            how = {"order": order, "residual": residual, "seed": next(index), "dtype": dtype}
            network = MADE(features, scalar.outputs_per_entry, widths, options.condition_size, **how)
            layer = Autoregressive(network, scalar, dtype=dtype)
            parts += [ActNorm((features,), dtype=dtype), Invert(layer) if invert else layer]
    return parts
