"""The dequantization that image families share."""

from __future__ import annotations

from collections.abc import Sequence

from flowzoo.bijectors import (
    AffineCoupling,
    Chain,
    ChannelSplit,
    UniformDequantization,
    VariationalDequantization,
)
from flowzoo.conditioners import GlowConvNet

FIRST_SEED = 1_000_000  # far from those of the flow's own networks


def dequantization(
    shape: Sequence[int], bits: int, depth: int, hidden: int, seed: int, conditioner_dtype: str
) -> UniformDequantization:
    """Uniform noise, or with `depth` > 0 noise from a flow of so many affine couplings conditioned on the image.

    Args:
      shape: (height, width, channels); sides even if `depth` > 0.
      bits: pixels are integers 0 ... 2^bits - 1.
      depth: couplings of the noise flow; 0 for uniform noise.
      hidden: channels of the hidden layers of its networks.
      seed: of the initial weights.
      conditioner_dtype: Keras dtype policy of its networks.

    Reference: Ho et al. 2019, Flow++, arXiv:1902.00275.
    """
    if not depth:
        return UniformDequantization(shape, bits)
    height, width, channels = shape
    squeezed, couplings = (height // 2, width // 2, 4 * channels), []
    for i in range(depth):
        split = ChannelSplit(squeezed, swap=bool(i % 2))
        outputs = AffineCoupling.outputs_per_entry * split.free_shape[-1]
        options = {"position": False, "seed": seed + FIRST_SEED + i, "dtype": conditioner_dtype}
        network = GlowConvNet(split.kept_shape, outputs, hidden, squeezed[-1], **options)
        couplings.append(AffineCoupling(squeezed, split, network))
    return VariationalDequantization(shape, Chain(couplings), bits)
