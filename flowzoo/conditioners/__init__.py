"""Keras layers that give a transform its parameters."""

from flowzoo.conditioners.conditioner import Conditioner
from flowzoo.conditioners.convnet import GlowConvNet, ImageConditioner, ResidualConvNet
from flowzoo.conditioners.masked import MADE
from flowzoo.conditioners.mlp import MLP
from flowzoo.conditioners.velocity import Velocity
from flowzoo.conditioners.wavenet import RowWaveNet

__all__ = ["MADE", "MLP", "Conditioner", "GlowConvNet", "ImageConditioner", "ResidualConvNet", "RowWaveNet", "Velocity"]
