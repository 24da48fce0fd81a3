"""Base distributions of the latent."""

from flowzoo.bases.base import Base
from flowzoo.bases.bernoulli import ConditionalBernoulli
from flowzoo.bases.conditional import ClassConditional, ConditionalNormal
from flowzoo.bases.conditional_flow import ConditionalFlow
from flowzoo.bases.from_distribution import FromDistribution
from flowzoo.bases.logistic import Logistic
from flowzoo.bases.mixture import GaussianMixture
from flowzoo.bases.normal import DiagonalNormal, StandardNormal
from flowzoo.bases.registry import NAMED, named
from flowzoo.bases.student import StudentT
from flowzoo.bases.transformed import Transformed
from flowzoo.bases.uniform import Uniform

__all__ = [
    "NAMED",
    "Base",
    "ClassConditional",
    "ConditionalBernoulli",
    "ConditionalFlow",
    "ConditionalNormal",
    "DiagonalNormal",
    "FromDistribution",
    "GaussianMixture",
    "Logistic",
    "StandardNormal",
    "StudentT",
    "Transformed",
    "Uniform",
    "named",
]
