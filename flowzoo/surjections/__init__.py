"""Transforms that draw noise in encode, in decode, or both ways."""

from flowzoo.surjections.absolute_value import AbsoluteValue
from flowzoo.surjections.argmax import Argmax
from flowzoo.surjections.augment import Augment
from flowzoo.surjections.dequantize import AudioDequantization, UniformDequantization, VariationalDequantization
from flowzoo.surjections.max_pool import MaxPool
from flowzoo.surjections.slice import Slice
from flowzoo.surjections.sort import Sort
from flowzoo.surjections.stochastic import Stochastic
from flowzoo.surjections.surjection import GenerativeSurjection, InferenceSurjection

__all__ = [
    "AbsoluteValue",
    "Argmax",
    "AudioDequantization",
    "Augment",
    "GenerativeSurjection",
    "InferenceSurjection",
    "MaxPool",
    "Slice",
    "Sort",
    "Stochastic",
    "UniformDequantization",
    "VariationalDequantization",
]
