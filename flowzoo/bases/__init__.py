"""Base distributions of the latent."""

from flowzoo.bases.base import Base
from flowzoo.bases.bernoulli import ConditionalBernoulli
from flowzoo.bases.conditional import ClassConditional, ConditionalNormal
from flowzoo.bases.conditional_flow import ConditionalFlow
from flowzoo.bases.from_distribution import FromDistribution
from flowzoo.bases.logistic import Logistic
from flowzoo.bases.mixture import GaussianMixture
from flowzoo.bases.normal import DiagonalNormal, StandardNormal
from flowzoo.bases.registry import NAMED, ON_SPHERE, named
from flowzoo.bases.sphere import UniformSphere
from flowzoo.bases.student import StudentT
from flowzoo.bases.transformed import Transformed
from flowzoo.bases.uniform import Uniform
from flowzoo.bases.von_mises_fisher import ConditionalVonMisesFisher

__all__ = [
    "NAMED",
    "ON_SPHERE",
    "Base",
    "ClassConditional",
    "ConditionalBernoulli",
    "ConditionalFlow",
    "ConditionalNormal",
    "ConditionalVonMisesFisher",
    "DiagonalNormal",
    "FromDistribution",
    "GaussianMixture",
    "Logistic",
    "StandardNormal",
    "StudentT",
    "Transformed",
    "Uniform",
    "UniformSphere",
    "named",
]
