"""Steps of flow: ActNorm, an invertible linear map and a coupling, on vectors or on images at several scales."""

from __future__ import annotations

from collections.abc import Callable

from flowzoo.bijectors import ActNorm, Chain, ChannelSplit, InvertibleLinear, Logit, Multiscale, Scale, Squeeze
from flowzoo.conditioners import MLP, Conditioner, GlowConvNet
from flowzoo.core.transform import Bijector, Transform
from flowzoo.families.dequantization import dequantization
from flowzoo.families.options import Options, fields

Couple = Callable[[ChannelSplit, int], Bijector]  # of a split and the number of the coupling


def checked(options: Options) -> tuple[int, ...]:
    """The shape of an event of a family of couplings.

    Raises:
      ValueError: it is neither (height, width, channels) with sides divisible by 2^levels and `bits`, nor (features,)
        without; or an option that is set is for the other kind of data.
    """
    shape, bits, levels = options.event_shape, options.bits, options.levels
    vector = len(shape) == 1 and not bits
    if not vector and not (len(shape) == 3 and bits and all(side % 2**levels == 0 for side in shape[:2])):
        raise ValueError(
            f"{options.family} takes `event_shape` (features,) with at least 2 features and `bits` 0, or (height, "
            f"width, channels) with sides divisible by 2^levels and `bits` 1 to 16; got {shape}, bits {bits}, "
            f"levels {levels}."
        )
    right, here = ("images", "vectors") if vector else ("vectors", "images")
    for name, field in fields(type(options)).items():
        value = getattr(options, name)
        if field.metadata.get("only") == right and value and not field.default:  # others are set by default
            raise ValueError(f"`{name}` is for {right}, leave it out for {here}; got {value!r}.")
    return shape


def way_in(options: Options) -> list[Transform]:
    """The transforms between integers and the first scale: `dequantization`, then a logit, or with alpha 0 centring."""
    shape, alpha = options.event_shape, options.alpha
    return [dequantization(options), Logit(shape, alpha) if alpha else Scale(shape, shift=-0.5)]


def network(options: Options, split: ChannelSplit, index: int, outputs_per_entry: int) -> Conditioner:
    """The network of a coupling: Glow's convolutions for images, two hidden layers for vectors."""
    outputs, hidden = outputs_per_entry * split.free_shape[-1], options.hidden
    how = {"seed": options.seed + index, "dtype": options.network_dtype}
    if len(split.event_shape) == 3:
        how |= {**options.image_condition, "position": options.position}
        return GlowConvNet(split.kept_shape, outputs, hidden, **how)
    return MLP(split.kept_shape[0], outputs, [hidden, hidden], options.condition_size, **how)


def stacked(options: Options, shape: tuple[int, ...], couple: Couple, prior: Couple) -> list[Transform]:
    """`depth` steps for vectors; for images `depth` per scale, with half of the channels factored out between scales.

    Args:
      options: of the family, which have `levels` and `depth`.
      shape: (features,) or (height, width, channels).
      couple: makes the coupling of a step.
      prior: makes the coupling that is the prior of the channels factored out, given those that are kept.
    """
    if len(shape) == 1:
        return in_a_row(options, shape, 0, couple)
    scales, index = [], 0
    for level in range(options.levels):
        parts = [Squeeze(shape)]
        shape = parts[0].latent_shape
        parts += in_a_row(options, shape, index, couple)
        index += options.depth
        if level < options.levels - 1:
            index += 1
            parts.append(prior(ChannelSplit(shape), index))
        scales.append(Chain(parts))
        shape = (*shape[:2], shape[2] - shape[2] // 2)
    return [Multiscale(scales)]


def in_a_row(options: Options, shape: tuple[int, ...], index: int, couple: Couple) -> list[Transform]:
    """`depth` steps, whose seeds continue after `index`."""
    parts = []
    vectors = len(shape) == 1  # features mean something, whereas channels of squeezed images are much alike
    for i in range(index + 1, index + options.depth + 1):
        linear = InvertibleLinear(shape, permute=vectors, seed=options.seed + i, dtype=options.dtype)
        parts += [ActNorm(shape, dtype=options.dtype), linear]
        parts.append(couple(ChannelSplit(shape), i))
    return parts
