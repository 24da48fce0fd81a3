"""Transforms that draw noise in encode, in decode, or both ways."""

from flowzoo.surjections.augment import Augment
from flowzoo.surjections.dequantize import AudioDequantization, UniformDequantization, VariationalDequantization
from flowzoo.surjections.stochastic import Stochastic
from flowzoo.surjections.surjection import GenerativeSurjection, InferenceSurjection

__all__ = [
    "AudioDequantization",
    "Augment",
    "GenerativeSurjection",
    "InferenceSurjection",
    "Stochastic",
    "UniformDequantization",
    "VariationalDequantization",
]
