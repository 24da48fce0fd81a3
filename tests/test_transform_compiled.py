"""Every transform of tests/cases.py under XLA, with the gradients of training: the families are made of these."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.core.context import Context
from tests import cases


@pytest.mark.parametrize("name", cases.TRANSFORMS)
def test_equals_eager(name, apart):
    apart(_check, name)


def _check(name):
    transform = cases.new_transform(name)
    x, condition, context = cases.transform_data(name)
    z = tf.constant(np.random.default_rng(3).normal(size=(6, *transform.latent_shape)), transform.compute_dtype)

    def everything(x, z, condition, root):
        context = Context(root)
        with tf.GradientTape() as tape:
            encoded = transform.encode(x, condition, context)
            loss = tf.reduce_sum(tf.sin(encoded[0])) + tf.reduce_sum(encoded[1])
        return encoded, transform.decode(z, condition, context), tape.gradient(loss, transform.trainable_weights)

    eager = everything(x, z, condition, context.root)
    compiled = tf.function(everything, jit_compile=True)(x, z, condition, context.root)
    for expected, actual in zip(tf.nest.flatten(eager), tf.nest.flatten(compiled), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)
