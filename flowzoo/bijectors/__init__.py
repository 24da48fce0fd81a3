"""Transforms between data and latent."""

from flowzoo.bijectors.actnorm import ActNorm, ElementwiseAffine
from flowzoo.bijectors.autoregressive import Autoregressive
from flowzoo.bijectors.chain import Chain, Identity, Invert
from flowzoo.bijectors.coupling import AdditiveCoupling, AffineCoupling, Coupling
from flowzoo.bijectors.dequantize import UniformDequantization, VariationalDequantization
from flowzoo.bijectors.elementwise import Logit, Scale
from flowzoo.bijectors.linear import InvertibleLinear, Permutation, Reverse
from flowzoo.bijectors.multiscale import Multiscale
from flowzoo.bijectors.reshape import Flatten, Squeeze
from flowzoo.bijectors.scalar import Affine, ScalarMap, Shift
from flowzoo.bijectors.spline import RationalQuadratic
from flowzoo.bijectors.splits import AllFree, ChannelSplit, CheckerboardSplit, FeatureMask, Split

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "Affine",
    "AffineCoupling",
    "AllFree",
    "Autoregressive",
    "Chain",
    "ChannelSplit",
    "CheckerboardSplit",
    "Coupling",
    "ElementwiseAffine",
    "FeatureMask",
    "Flatten",
    "Identity",
    "Invert",
    "InvertibleLinear",
    "Logit",
    "Multiscale",
    "Permutation",
    "RationalQuadratic",
    "Reverse",
    "ScalarMap",
    "Scale",
    "Shift",
    "Split",
    "Squeeze",
    "UniformDequantization",
    "VariationalDequantization",
]
