"""Steps of flow: ActNorm, an invertible linear map and a coupling, on vectors or on images at several scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flowzoo.bijectors import ActNorm, Chain, ChannelSplit, InvertibleLinear, Logit, Multiscale, Scale, Squeeze
from flowzoo.conditioners import MLP, Conditioner, GlowConvNet
from flowzoo.core.transform import Bijector, Transform
from flowzoo.families.dequantization import dequantization

FOR_ONE = ("maf", "maf-mog", "nsf-ar", "iaf", "planar", "radial", "cnf", "ffjord")  # families that take one feature
Couple = Callable[[ChannelSplit, int], Bijector]  # of a split and the number of the coupling


def checked(
    family: str, config: dict[str, Any], *images_only: str, vectors_only: Sequence[str] = ()
) -> tuple[int, ...]:
    """The shape of a configuration as a tuple.

    Raises:
      ValueError: it is neither (height, width, channels) with sides divisible by 2^levels and `bits`, nor (features,)
        without; or an option that is set is for the other kind of data.
    """
    shape, bits, levels = tuple(config["event_shape"]), config["bits"], config["levels"]
    require_two(shape)
    if len(shape) == 1 and not bits:
        refused, right, here = images_only, "images", "vectors"
    elif not (len(shape) == 3 and bits and all(side % 2**levels == 0 for side in shape[:2])):
        raise ValueError(
            f"{family} takes `event_shape` (features,) with at least 2 features and `bits` 0, or (height, width, "
            f"channels) with sides divisible by 2^levels and `bits` 1 to 16; got {shape}, bits {bits}, levels {levels}."
        )
    else:
        refused, right, here = vectors_only, "vectors", "images"
    for name in refused:
        if config[name]:
            raise ValueError(f"`{name}` is for {right}, leave it out for {here}; got {config[name]!r}.")
    return shape


def require_two(shape: tuple[int, ...]) -> None:
    """Refuses one feature: a coupling has nothing to keep beside it.

    Raises:
      ValueError: it names the families that take one.
    """
    if shape == (1,):
        raise ValueError(
            f"`event_shape` must have at least 2 features for a flow of couplings, got (1,). For one feature take "
            f"{', '.join(map(repr, FOR_ONE))}."
        )


def way_in(
    shape: tuple[int, ...],
    bits: int,
    alpha: float,
    noise_depth: int,
    noise_hidden: int,
    seed: int,
    conditioner_dtype: str,
) -> list[Transform]:
    """The transforms between integers and the first scale: `dequantization`, then a logit, or with alpha 0 centring."""
    noise = dequantization(shape, bits, noise_depth, noise_hidden, seed, conditioner_dtype)
    return [noise, Logit(shape, alpha) if alpha else Scale(shape, shift=-0.5)]


def network(
    split: ChannelSplit,
    outputs_per_entry: int,
    hidden: int,
    classes: int,
    condition_features: int,
    *,
    position: bool,
    **options,
) -> Conditioner:
    """The network of a coupling: Glow's convolutions for images, two hidden layers for vectors."""
    outputs = outputs_per_entry * split.free_shape[-1]
    if len(split.event_shape) == 3:
        options |= {"classes": classes, "position": position}
        return GlowConvNet(split.kept_shape, outputs, hidden, condition_features, **options)
    return MLP(split.kept_shape[0], outputs, [hidden, hidden], classes or condition_features, **options)


def stacked(
    shape: tuple[int, ...], levels: int, depth: int, couple: Couple, prior: Couple, seed: int, dtype: str
) -> list[Transform]:
    """`depth` steps for vectors; for images `depth` at each scale, where half of the channels leave with a prior.

    Args:
      shape: (features,) or (height, width, channels).
      levels: number of scales, images only.
      depth: steps per scale.
      couple: makes the coupling of a step.
      prior: makes the coupling that is the prior of the channels that leave, given those that stay.
      seed: of the linear maps.
      dtype: float32 or float64.
    """
    if len(shape) == 1:
        return _steps(shape, depth, 0, couple, seed, dtype)
    scales, index = [], 0
    for level in range(levels):
        parts = [Squeeze(shape)]
        shape = parts[0].latent_shape
        parts += _steps(shape, depth, index, couple, seed, dtype)
        index += depth
        if level < levels - 1:
            index += 1
            parts.append(prior(ChannelSplit(shape), index))
        scales.append(Chain(parts))
        shape = (*shape[:2], shape[2] - shape[2] // 2)
    return [Multiscale(scales)]


def _steps(shape, depth, index, couple, seed, dtype):
    parts = []
    vectors = len(shape) == 1  # features mean something, where channels of squeezed images are much alike
    for i in range(index + 1, index + depth + 1):
        linear = InvertibleLinear(shape, permute=vectors, seed=seed + i, dtype=dtype)
        parts += [ActNorm(shape, dtype=dtype), linear]
        parts.append(couple(ChannelSplit(shape), i))
    return parts
