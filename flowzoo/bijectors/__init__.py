"""Transforms between data and latent."""

from flowzoo.bijectors.actnorm import ActNorm, ElementwiseAffine
from flowzoo.bijectors.autoregressive import Autoregressive
from flowzoo.bijectors.bounds import Bounds
from flowzoo.bijectors.chain import Chain, Identity, Invert
from flowzoo.bijectors.continuous import Continuous
from flowzoo.bijectors.coupling import AdditiveCoupling, AffineCoupling, Coupling
from flowzoo.bijectors.elementwise import Logit, Scale
from flowzoo.bijectors.linear import InvertibleLinear, Permutation, Reverse, Whitening
from flowzoo.bijectors.mixture_map import GaussianMixtureMap
from flowzoo.bijectors.multiscale import Multiscale
from flowzoo.bijectors.orthogonal import CayleyOrthogonal, Householder
from flowzoo.bijectors.planar import Planar
from flowzoo.bijectors.radial import Radial
from flowzoo.bijectors.reshape import Flatten, Squeeze
from flowzoo.bijectors.rows import AutoregressiveRows, Fold, ReverseRows
from flowzoo.bijectors.scalar import Affine, ScalarChain, ScalarMap, Shift
from flowzoo.bijectors.spline import RationalQuadratic
from flowzoo.bijectors.splits import AllFree, ChannelSplit, CheckerboardSplit, FeatureMask, Split
from flowzoo.bijectors.standardize import Standardize
from flowzoo.bijectors.sylvester import Sylvester

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "Affine",
    "AffineCoupling",
    "AllFree",
    "Autoregressive",
    "AutoregressiveRows",
    "Bounds",
    "CayleyOrthogonal",
    "Chain",
    "ChannelSplit",
    "CheckerboardSplit",
    "Continuous",
    "Coupling",
    "ElementwiseAffine",
    "FeatureMask",
    "Flatten",
    "Fold",
    "GaussianMixtureMap",
    "Householder",
    "Identity",
    "Invert",
    "InvertibleLinear",
    "Logit",
    "Multiscale",
    "Permutation",
    "Planar",
    "Radial",
    "RationalQuadratic",
    "Reverse",
    "ReverseRows",
    "ScalarChain",
    "ScalarMap",
    "Scale",
    "Shift",
    "Split",
    "Squeeze",
    "Standardize",
    "Sylvester",
    "Whitening",
]
