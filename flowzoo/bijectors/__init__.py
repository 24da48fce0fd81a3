"""Transforms between data and latent."""

from flowzoo.bijectors.actnorm import ActNorm, ElementwiseAffine
from flowzoo.bijectors.chain import Chain, Identity, Invert
from flowzoo.bijectors.coupling import AdditiveCoupling, AffineCoupling, Coupling
from flowzoo.bijectors.dequantize import UniformDequantization, VariationalDequantization
from flowzoo.bijectors.elementwise import Logit, Scale
from flowzoo.bijectors.linear import InvertibleLinear, Permutation, Reverse
from flowzoo.bijectors.multiscale import Multiscale
from flowzoo.bijectors.orthogonal import CayleyOrthogonal, Householder
from flowzoo.bijectors.planar import Planar
from flowzoo.bijectors.radial import Radial
from flowzoo.bijectors.reshape import Flatten, Squeeze
from flowzoo.bijectors.splits import AllFree, ChannelSplit, CheckerboardSplit, FeatureMask, Split

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "AllFree",
    "CayleyOrthogonal",
    "Chain",
    "ChannelSplit",
    "CheckerboardSplit",
    "Coupling",
    "ElementwiseAffine",
    "FeatureMask",
    "Flatten",
    "Householder",
    "Identity",
    "Invert",
    "InvertibleLinear",
    "Logit",
    "Multiscale",
    "Permutation",
    "Planar",
    "Radial",
    "Reverse",
    "Scale",
    "Split",
    "Squeeze",
    "UniformDequantization",
    "VariationalDequantization",
]
