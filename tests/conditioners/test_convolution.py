"""Convolutions and their gradients, against TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.conditioners import convolution as module


def value_and_gradients(function, inputs, upstream):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = function(*inputs)
    return value, *tape.gradient(value, inputs, upstream)


@pytest.mark.parametrize(("size", "channels", "outputs"), [(3, 5, 2), (5, 4, 3), (1, 6, 2), (3, 2, 6), (3, 4, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_gradients_are_those_of_tensorflow(size, channels, outputs, dtype):
    numbers = np.random.default_rng(0)
    shapes = (3, 4, 7, channels), (size, size, channels, outputs), (outputs,), (3, 4, 7, outputs)
    *inputs, upstream = (tf.cast(numbers.normal(size=shape), dtype) for shape in shapes)

    def plain(h, kernel, bias):
        return tf.nn.conv2d(h, kernel, 1, "SAME") + bias

    found = value_and_gradients(module.convolution, inputs, upstream)
    expected = value_and_gradients(plain, inputs, upstream)
    tolerance = {"float32": 1e-5, "float64": 1e-13, "bfloat16": 0.02}[dtype]
    for ours, theirs in zip(found, expected, strict=True):
        ours, theirs = (tf.cast(each, "float64").numpy() for each in (ours, theirs))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


def test_second_derivatives_are_those_of_tensorflow():
    numbers = np.random.default_rng(1)
    h, kernel = tf.constant(numbers.normal(size=(2, 4, 4, 3))), tf.constant(numbers.normal(size=(3, 3, 3, 2)))
    bias = tf.constant([0.5, -1.0], tf.float64)

    def second(function):
        with tf.GradientTape() as outer:
            outer.watch([h, kernel])
            with tf.GradientTape() as inner:
                inner.watch([h, kernel])
                value = tf.reduce_sum(tf.sin(function(h, kernel, bias)))
            first = inner.gradient(value, [h, kernel])
            total = sum(tf.reduce_sum(each**3) for each in first)
        return outer.gradient(total, [h, kernel])

    expected = second(lambda h, kernel, bias: tf.nn.conv2d(h, kernel, 1, "SAME") + bias)
    for ours, theirs in zip(second(module.convolution), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_accelerators_keep_their_own_gradients(monkeypatch):
    monkeypatch.setattr(module, "_narrowing", None)  # calling it would fail
    monkeypatch.setattr(module, "_has_accelerator", lambda: True)
    h, kernel = tf.ones([1, 2, 2, 4]), tf.ones([3, 3, 4, 2])
    np.testing.assert_array_equal(module.convolution(h, kernel, tf.zeros([2])), np.full([1, 2, 2, 2], 16.0))
