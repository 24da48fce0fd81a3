"""Transforms that draw noise in one direction or both."""

from flowzoo.surjections.augment import Augment
from flowzoo.surjections.dequantize import AudioDequantization, UniformDequantization, VariationalDequantization
from flowzoo.surjections.stochastic import Stochastic

__all__ = ["AudioDequantization", "Augment", "Stochastic", "UniformDequantization", "VariationalDequantization"]
