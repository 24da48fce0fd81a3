"""Convolutions of images, with the gradients that are fast on the device at hand."""

from __future__ import annotations

import tensorflow as tf


def convolution(h: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """A convolution of stride 1 that keeps height and width, plus a bias.

    Args:
      h: (batch, height, width, channels).
      kernel: (size, size, channels, outputs), `size` odd.
      bias: (outputs,).

    Returns:
      (batch, height, width, outputs).
    """
    size, _, channels, outputs = kernel.shape
    if size > 1 and outputs < channels and not _has_accelerator():
        return _narrowing(h, kernel, bias)
    return _plain(h, kernel, bias)


def _plain(h, kernel, bias):
    return tf.nn.bias_add(tf.nn.conv2d(h, kernel, strides=1, padding="SAME"), bias)


def _has_accelerator():
    return any(device.device_type != "CPU" for device in tf.config.get_visible_devices())


@tf.custom_gradient
def _narrowing(h, kernel, bias):
    """To fewer channels: on CPUs, TensorFlow's own gradients of it take three times as long, for they unfold `h`."""

    def gradients(upstream):
        return _of_input(upstream, kernel), _of_kernel(h, kernel, upstream), tf.reduce_sum(upstream, axis=[0, 1, 2])

    return _plain(h, kernel, bias), gradients


def _of_input(upstream, kernel):
    """A convolution by the kernel turned round."""
    return tf.nn.conv2d(upstream, tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2]), strides=1, padding="SAME")


def _of_kernel(h, kernel, upstream):
    """The sum over all places of h there times what lies around it in `upstream`."""
    size, _, channels, outputs = kernel.shape
    _, height, width, _ = h.shape
    reach = [size // 2] * 2
    padded = tf.pad(upstream, [[0, 0], reach, reach, [0, 0]])
    shifts = [(i, j) for i in range(size) for j in range(size)]
    around = tf.concat([padded[:, i : i + height, j : j + width] for i, j in shifts], axis=-1)
    by_shift = tf.matmul(tf.reshape(h, [-1, channels]), tf.reshape(around, [-1, size**2 * outputs]), transpose_a=True)
    return tf.transpose(tf.reshape(by_shift, [channels, size, size, outputs]), [1, 2, 0, 3])[::-1, ::-1]
