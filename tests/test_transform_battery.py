"""What holds for every transform of tests/cases.py."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.testing import log_det_of_jacobian
from tests import cases

EVERY = list(cases.TRANSFORMS)
CONDITIONAL = [name for name, case in cases.TRANSFORMS.items() if case.condition_features]
TAKES_BFLOAT16 = [name for name, case in cases.TRANSFORMS.items() if case.takes_bfloat16]
BIJECTIVE = [name for name, case in cases.TRANSFORMS.items() if case.bijective]


def _latent(transform, rows=6):
    return tf.constant(np.random.default_rng(3).normal(size=(rows, *transform.latent_shape)), transform.compute_dtype)


@pytest.mark.parametrize("name", BIJECTIVE)
def test_round_trip_both_ways_and_log_dets_cancel(name):
    transform = cases.transform(name, "float64")
    x, condition, _ = cases.transform_data(name, dtype="float64")
    z, encoded = transform.encode(x, condition)
    again, decoded = transform.decode(z, condition)
    np.testing.assert_allclose(again, x, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(decoded, -encoded, rtol=1e-9, atol=1e-9)
    assert z.shape == (6, *transform.latent_shape) and encoded.shape == (6,)

    z = _latent(transform)
    x, decoded = transform.decode(z, condition)
    again, encoded = transform.encode(x, condition)
    np.testing.assert_allclose(again, z, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(decoded, -encoded, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", BIJECTIVE)
def test_round_trip_in_float32(name):
    transform = cases.transform(name)
    x, condition, _ = cases.transform_data(name)
    z, log_det = transform.encode(x, condition)
    np.testing.assert_allclose(transform.decode(z, condition)[0], x, rtol=1e-4, atol=1e-5)
    assert z.dtype == log_det.dtype == tf.float32


@pytest.mark.parametrize("name", BIJECTIVE)
def test_log_det_is_that_of_the_jacobian(name):
    transform = cases.transform(name, "float64")
    x, condition, _ = cases.transform_data(name, rows=2, dtype="float64")
    for direction, value in ((transform.encode, x), (transform.decode, _latent(transform, 2))):
        expected = log_det_of_jacobian(direction, value, condition)
        np.testing.assert_allclose(direction(value, condition)[1], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_gradient_reaches_every_weight(name):
    transform = cases.transform(name)
    x, condition, context = cases.transform_data(name)
    z = _latent(transform)
    directions = [(transform.encode, x), (transform.decode, z)]
    for direction, start in directions[:1] if transform.draws else directions:  # decode only rounds there
        with tf.GradientTape() as tape:
            value, log_det = direction(start, condition, context)
            loss = tf.reduce_sum(tf.sin(value)) + tf.reduce_sum(log_det)
        for weight, gradient in zip(
            transform.trainable_weights, tape.gradient(loss, transform.trainable_weights), strict=True
        ):
            assert gradient is not None and np.abs(gradient).max() > 0, weight.path
            assert np.isfinite(gradient).all(), weight.path


@pytest.mark.parametrize("name", TAKES_BFLOAT16)
def test_conditioner_in_bfloat16_leaves_the_rest_in_float32(name):
    transform = cases.new_transform(name, conditioner_dtype="mixed_bfloat16")
    x, condition, _ = cases.transform_data(name)
    z, log_det = transform.encode(x, condition)
    assert z.dtype == log_det.dtype == tf.float32
    assert all(weight.dtype == "float32" for weight in transform.weights)
    exact, exact_log_det = cases.transform(name).encode(x, condition)
    np.testing.assert_allclose(z, exact, rtol=0.1, atol=0.1)
    np.testing.assert_allclose(log_det, exact_log_det, rtol=0.05, atol=0.2)
    assert np.abs(z - exact).max() > 0  # it did run in bfloat16
    again, back = transform.decode(z, condition)  # and is still exactly invertible
    np.testing.assert_allclose(again, x, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(back, -log_det, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CONDITIONAL)
def test_condition_changes_the_result(name):
    transform = cases.transform(name)
    x, condition, context = cases.transform_data(name)
    one, other = (transform.encode(x, given, context) for given in (condition, condition + 1.0))
    changed = np.abs(one[0] - other[0]).reshape(6, -1).max(axis=1) + np.abs(
        one[1] - other[1]
    )  # of some only the latter
    assert (changed > 1e-4).all()
    with pytest.raises(ValueError, match=r"`condition` must have \d features per example, got None"):
        transform.encode(x, None, context)
    with pytest.raises(ValueError, match=r"`condition` must have shape \(batch, \d\), got \(6, 7\)"):
        transform.encode(x, tf.zeros([6, 7]), context)


@pytest.mark.parametrize("name", EVERY)
def test_bad_shapes_and_types_are_named(name):
    transform = cases.transform(name)
    x, condition, context = cases.transform_data(name)
    z = _latent(transform)
    for direction, what, value in ((transform.encode, "x", x), (transform.decode, "z", z)):
        with pytest.raises(ValueError, match=rf"`{what}` must have shape \(batch, .*got \(6,.*, 1\)\."):
            direction(value[..., None], condition, context)
        with pytest.raises(ValueError, match=rf"`{what}` must have shape \(batch, .*got .*batch"):
            direction(value[0], condition, context)
        expected, wrong = ("integers", "float16") if value.dtype.is_integer else ("floating-point", "int32")
        with pytest.raises(TypeError, match=rf"`{what}` must be {expected}.*got dtype {wrong}"):
            direction(tf.cast(value, wrong), condition, context)


@pytest.mark.parametrize("name", BIJECTIVE)
def test_nan_row_leaves_the_others_untouched(name):
    transform = cases.transform(name)
    x, condition, _ = cases.transform_data(name)
    for direction, good in ((transform.encode, x), (transform.decode, _latent(transform))):
        poison = np.zeros(good.shape, "float32")
        poison[2] = np.nan
        others = [0, 1, 3, 4, 5]
        for clean, poisoned in zip(direction(good, condition), direction(good + poison, condition), strict=True):
            np.testing.assert_array_equal(poisoned.numpy()[others], clean.numpy()[others])
        assert not np.isfinite(direction(good + poison, condition)[0][2]).any()


@pytest.mark.parametrize("name", BIJECTIVE)
def test_extreme_input_stays_finite(name):
    transform = cases.transform(name)
    _, condition, _ = cases.transform_data(name)
    values = tf.constant([1e6, -1e6, 1e-40, -1e-40, 0.0, 1e-30], tf.float32)
    for direction, shape in ((transform.encode, transform.event_shape), (transform.decode, transform.latent_shape)):
        x = tf.reshape(values, [6] + [1] * len(shape)) * tf.ones([1, *shape])
        if name == "from-tfp" and direction == transform.encode:
            x = tf.abs(x) + 1e-3  # the range of softplus
        if name == "bounds" and direction == transform.encode:
            x = transform.decode(x)[0]
        value, log_det = direction(x, condition)
        assert np.isfinite(value).all() and np.isfinite(log_det).all()
