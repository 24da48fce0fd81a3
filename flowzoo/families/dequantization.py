"""The dequantization that image families share."""

from __future__ import annotations

from flowzoo.bijectors import AffineCoupling, Chain, ChannelSplit
from flowzoo.conditioners import GlowConvNet
from flowzoo.families.options import Options
from flowzoo.surjections import UniformDequantization, VariationalDequantization

FIRST_SEED = 1_000_000  # far from those of the flow's own networks


def dequantization(options: Options) -> UniformDequantization:
    """Uniform noise, or with `noise_depth` > 0 noise from a flow of affine couplings conditioned on the image.

    Args:
      options: of the family; `event_shape` is (height, width, channels), with even sides if `noise_depth` > 0.

    Reference: Ho et al. 2019, Flow++, arXiv:1902.00275.
    """
    shape = height, width, channels = options.event_shape
    if not options.noise_depth:
        return UniformDequantization(shape, options.bits)
    squeezed, couplings = (height // 2, width // 2, 4 * channels), []
    for i in range(options.noise_depth):
        split = ChannelSplit(squeezed, swap=bool(i % 2))
        outputs = AffineCoupling.outputs_per_entry * split.free_shape[-1]
        how = {"position": False, "seed": options.seed + FIRST_SEED + i, "dtype": options.network_dtype}
        network = GlowConvNet(split.kept_shape, outputs, options.noise_hidden, squeezed[-1], **how)
        couplings.append(AffineCoupling(squeezed, split, network))
    return VariationalDequantization(shape, Chain(couplings), options.bits)
