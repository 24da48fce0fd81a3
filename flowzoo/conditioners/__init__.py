"""Keras layers that give a transform its parameters."""

from flowzoo.conditioners.base import Conditioner
from flowzoo.conditioners.convnet import GlowConvNet, ImageConditioner, ResidualConvNet
from flowzoo.conditioners.mlp import MLP

__all__ = ["MLP", "Conditioner", "GlowConvNet", "ImageConditioner", "ResidualConvNet"]
