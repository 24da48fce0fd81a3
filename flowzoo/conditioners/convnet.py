"""Convolutional conditioners for images: Glow's small net and Real NVP's residual net."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from flowzoo.conditioners.condition import checked
from flowzoo.conditioners.conditioner import Conditioner, seed_source
from flowzoo.conditioners.convolution import convolution


class ImageConditioner(Conditioner):
    """What both nets share: how convolutions are made, and an optional bias per position.

    Args:
      image_shape: (height, width, channels) of the input.
      channels: of the output, which has the same height and width.
      hidden: channels of the hidden layers.
      condition_features: size of the condition vector, or channels of the condition image; 0 for none.
      classes: the condition is one-hot instead, and each class adds a bias to the hidden channels: as good as a
        constant channel per class, with a ninth of the weights. 0 for none.
      position: learn a bias for each position and hidden channel, by which the net knows where in the image it is.
        Convolutions alone can't know; it helps with aligned data (digits, clothes, faces).
      dtype: Keras dtype policy.
    """

    takes_axes = (1, 3)

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: int,
        hidden: int = 128,
        condition_features: int = 0,
        *,
        classes: int = 0,
        position: bool = False,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(image_shape, (*image_shape[:2], channels), condition_features, dtype=dtype, name=name)
        self.hidden, self.classes = int(hidden), int(classes)
        if classes and condition_features:
            raise ValueError("Give `classes` or `condition_features`, not both.")
        self.by_class = None
        if classes:
            by_class = keras.layers.Dense(hidden, use_bias=False, kernel_initializer="zeros", dtype=self.dtype_policy)
            self.by_class = self._made(by_class, (classes,))
        self.position = None
        if position:
            self.position = self.add_weight(shape=(*image_shape[:2], hidden), initializer="zeros", name="position")

    def _conv(self, filters, size, in_channels, seed=None):
        """A convolution; without a seed it starts at zero."""
        initializer = "zeros" if seed is None else keras.initializers.HeNormal(seed=seed)
        conv = keras.layers.Conv2D(
            filters, size, padding="same", kernel_initializer=initializer, dtype=self.dtype_policy
        )
        return self._made(conv, (*self.input_event_shape[:2], in_channels))

    def _inputs(self, h, condition):
        return (h, checked(h, condition, self.classes)) if self.classes else super()._inputs(h, condition)

    def _placed(self, h, one_hot=None):
        h = h if one_hot is None else h + self.by_class(one_hot)[:, None, None]
        return h if self.position is None else h + tf.cast(self.position, h.dtype)


class GlowConvNet(ImageConditioner):
    """3x3 convolution, 1x1 convolution, zero-initialised 3x3 convolution, with a ReLU between any two.

    Reference: Kingma & Dhariwal 2018, Glow, arXiv:1807.03039.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: int,
        hidden: int = 128,
        condition_features: int = 0,
        *,
        classes: int = 0,
        position: bool = False,
        seed: int = 0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(
            image_shape,
            channels,
            hidden,
            condition_features,
            classes=classes,
            position=position,
            dtype=dtype,
            name=name,
        )
        new_seed = seed_source(seed)
        self.first = self._conv(self.hidden, 3, self.joined_shape[-1], new_seed())
        self.middle = self._conv(self.hidden, 1, self.hidden, new_seed())
        self.head = self._conv(channels, 3, self.hidden)

    def _parameters(self, h, one_hot=None):
        h = tf.nn.relu(self._placed(_convolved(self.first, h), one_hot))
        return _convolved(self.head, tf.nn.relu(_convolved(self.middle, h)))


class ResidualConvNet(ImageConditioner):
    """A 3x3 convolution, residual blocks of two 3x3 convolutions, and a zero-initialised 1x1 convolution.

    The paper uses batch normalisation; here the second convolution of a block starts at zero instead, so that rows stay
    independent of each other.

    Args:
      blocks: how many residual blocks.

    Reference: Dinh et al. 2017, Density estimation using Real NVP, arXiv:1605.08803.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: int,
        hidden: int = 64,
        condition_features: int = 0,
        blocks: int = 2,
        *,
        classes: int = 0,
        position: bool = False,
        seed: int = 0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(
            image_shape,
            channels,
            hidden,
            condition_features,
            classes=classes,
            position=position,
            dtype=dtype,
            name=name,
        )
        new_seed = seed_source(seed)
        self.first = self._conv(self.hidden, 3, self.joined_shape[-1], new_seed())
        self.inner = [self._conv(self.hidden, 3, self.hidden, new_seed()) for _ in range(blocks)]
        self.outer = [self._conv(self.hidden, 3, self.hidden) for _ in range(blocks)]
        self.head = self._conv(channels, 1, self.hidden)

    def _parameters(self, h, one_hot=None):
        h = self._placed(_convolved(self.first, h), one_hot)
        for inner, outer in zip(self.inner, self.outer, strict=True):
            h = h + _convolved(outer, tf.nn.relu(_convolved(inner, tf.nn.relu(h))))
        return _convolved(self.head, tf.nn.relu(h))


def _convolved(layer, h):
    """layer(h), without the two reshapes of the bias and their gradients that Keras puts into the graph."""
    return convolution(h, tf.convert_to_tensor(layer.kernel), tf.convert_to_tensor(layer.bias))
