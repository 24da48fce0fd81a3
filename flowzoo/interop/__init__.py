"""Conversions to and from TensorFlow Probability."""

from flowzoo.interop.bijector import FromTFP, as_tfp
from flowzoo.interop.flow_distribution import FlowDistribution

__all__ = ["FlowDistribution", "FromTFP", "as_tfp"]
