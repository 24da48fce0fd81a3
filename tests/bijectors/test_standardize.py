import numpy as np
import pytest
import tensorflow as tf

from flowzoo import bijectors as b
from flowzoo.conditioners import MLP
from flowzoo.core.context import Context

UNITS, OFFSETS = np.array([1e-6, 1e6, 1.0, 3.0]), np.array([0.0, 1e9, 1.7e9, -5.0])


def _columns(rows=256):
    return np.random.default_rng(0).normal(size=(rows, 4)) * UNITS + OFFSETS


def _mixed(front):
    coupling = b.AffineCoupling((4,), b.FeatureMask([1, 0, 1, 0]), MLP(2, 4, [5], seed=1))
    coupling.conditioner.trainable_weights[-1].assign_add([0.1, -0.2, 0.3, 0.1])
    return b.Chain([front, b.ActNorm((4,)), coupling])


def test_adapt_takes_away_the_units():
    layer, x = b.Standardize((4,)), _columns()
    z = layer.adapt(x)
    np.testing.assert_allclose(np.mean(z, axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(np.std(z, axis=0), 1.0, rtol=1e-9)
    np.testing.assert_allclose(layer.encode(x)[1], -np.log(x.std(axis=0)).sum(), rtol=1e-9)
    assert (np.abs(layer.decode(z)[0] - x) <= 1e-15 * np.maximum(np.abs(x), UNITS)).all()
    assert not layer.trainable_weights and {weight.dtype for weight in layer.weights} == {"float64"}


def test_a_column_that_is_constant_or_nearly_keeps_scale_1():
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    x[:, 1] = 0.1
    x[:, 2] = np.float32(0.1) + np.spacing(np.float32(0.1)) * (np.arange(64) % 3)  # rounding errors of float32
    x[:, 3] *= 1e-30
    layer = b.Standardize((4,))
    z = layer.adapt(x).numpy()
    np.testing.assert_array_equal(layer.scale.numpy()[1:3], 1.0)
    np.testing.assert_array_equal(z[:, 1], 0.0)
    np.testing.assert_allclose(z[:, [0, 3]].std(axis=0), 1.0, rtol=1e-6)
    times = 1.7e9 + np.random.default_rng(0).uniform(0.0, 1e-3, (64, 1))  # of a millisecond: few digits, but data
    np.testing.assert_allclose(b.Standardize((1,)).adapt(times).numpy().std(), 1.0, rtol=1e-6)


def test_in_front_of_float32_it_keeps_the_digits():
    chain, x = _mixed(b.Standardize((4,))), _columns()
    assert (chain.event_dtype, chain.compute_dtype) == ("float64", "float32")
    chain.adapt(x)
    z, log_det = chain.encode(x)
    again, back = chain.decode(z)
    assert (z.dtype, log_det.dtype, again.dtype, back.dtype) == (tf.float32, tf.float32, tf.float64, tf.float32)
    assert (np.abs(again - x).max(axis=0) < 1e-5 * UNITS).all()
    np.testing.assert_allclose(back, -log_det, rtol=1e-6)


@pytest.mark.parametrize("mode", ["remat", "reversible"])
def test_saving_memory_changes_no_gradient(mode):
    chain, x = _mixed(b.Standardize((4,))), _columns()
    chain.adapt(x)

    def gradients(mode):
        with tf.GradientTape() as tape:
            z, log_det = chain.encode(x, context=Context(memory=mode))
            loss = tf.reduce_sum(tf.square(z)) - tf.reduce_sum(log_det)
        return tape.gradient(loss, chain.trainable_weights)

    for expected, actual in zip(gradients("store"), gradients(mode), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-3)


def test_columns_near_the_least_number_are_scaled_or_refused():
    x = np.random.default_rng(0).normal(size=(64, 4))
    usual, tiny = b.Standardize((4,)), b.Standardize((4,))
    usual.adapt(x)
    scales = np.array([1.0, 2.0**-660, 2.0**-990, 1.0])  # of 2, so that the numbers are the same to the last bit
    np.testing.assert_array_equal(tiny.adapt(x * scales), usual.encode(x)[0])
    np.testing.assert_array_equal(tiny.scale, usual.scale * scales)
    with pytest.raises(ValueError, match=r"vary by at least 1e-300 in each column, got less in columns \[2\]"):
        tiny.adapt(x * [1.0, 1.0, 1e-310, 1.0])


def test_float64_stands_in_front_only():
    with pytest.raises(TypeError, match="must all be of one dtype, got float32, float64"):
        b.Chain([b.ActNorm((4,)), b.Standardize((4,))])
    with pytest.raises(TypeError, match="Invert expected a bijector of one dtype, got one of float64 data and float32"):
        b.Invert(_mixed(b.Standardize((4,))))
    with pytest.raises(ValueError, match=r"`event_shape` must be \(features,\), got \(2, 2\)"):
        b.Standardize((2, 2))


def test_whitening_and_actnorm_keep_scale_1_where_nothing_varies():
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    x[:, 1] = 7.0
    for layer in (b.Whitening((3,)), b.ActNorm((3,))):
        layer.adapt(x)
        moved = np.abs(np.subtract(*layer.encode(np.array([[0, 7, 0], [0, 8, 0]], "float32"))[0]))
        np.testing.assert_allclose(moved, [0, 1, 0], atol=1e-5)
