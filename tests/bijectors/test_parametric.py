"""Planar and radial maps where the battery does not look: at the edge of what keeps them invertible."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo import bijectors as b
from flowzoo.bijectors.parametric import LEAST_SLOPE, above_minus_one
from flowzoo.conditioners import MLP

KINDS = [b.Planar, b.Radial]


def _with_weights(kind, scale, seed, dtype="float64"):
    """A bijector whose weights are normal numbers of this scale; every second planar one has u against w."""
    numbers, bijector = np.random.default_rng(seed), kind((4,), seed=seed, dtype=dtype)
    for weight in bijector.own:
        weight.assign(scale * numbers.normal(size=weight.shape))
    if kind is b.Planar and seed % 2:
        bijector.own[1].assign(-numbers.uniform(0.1, 3.0) * bijector.own[0])
    return bijector


def _data(dtype, rows=50, scale=3.0):
    return tf.constant(scale * np.random.default_rng(1).normal(size=(rows, 4)), dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_starts_as_the_identity_with_gradients(kind):
    bijector, x = kind((4,), seed=1), _data("float32")
    z, log_det = bijector.encode(x)
    np.testing.assert_array_equal(z, x)
    np.testing.assert_array_equal(log_det, 0.0)
    with tf.GradientTape() as tape:
        z, log_det = bijector.encode(x)
        loss = tf.reduce_mean(0.5 * tf.reduce_sum(tf.square(z), axis=1) - log_det)
    gradients = tape.gradient(loss, bijector.own)
    moving = {"Planar": 1, "Radial": 2}[kind.__name__]  # u, pull
    assert np.abs(gradients[moving]).min() > 1e-3 and all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("size", [1e-22, 1.088e-19, 1e-6])
@pytest.mark.parametrize("xla", [False, True])
def test_a_planar_direction_that_vanishes_keeps_its_gradients(size, xla):
    bijector, x = b.Planar((2,)), _data("float32")[:, :2]  # XLA divides by 1.18e-38 with NaN, and training passes there
    for weight, value in zip(bijector.own, ([0.0, size], [-0.05, 0.0], [0.4]), strict=True):
        weight.assign(value)

    @tf.function(jit_compile=xla)
    def gradients():
        with tf.GradientTape() as tape:
            z, log_det = bijector.encode(x)
            loss = tf.reduce_mean(0.5 * tf.reduce_sum(tf.square(z), axis=1) - log_det)
        return tape.gradient(loss, bijector.own)

    assert all(np.isfinite(gradient).all() for gradient in gradients())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3])
def test_any_weights_give_a_bijection(kind, scale):
    x = _data("float64")
    for seed in range(4):
        bijector = _with_weights(kind, scale, seed)
        for there, back in ((bijector.encode, bijector.decode), (bijector.decode, bijector.encode)):
            y, log_det = there(x)
            again, cancelling = back(y)
            stretch = np.exp(np.abs(log_det).max())  # rounding errors grow by it on the way back
            assert np.isfinite(y).all() and np.isfinite(log_det).all()
            np.testing.assert_allclose(again, x, atol=1e-13 * scale**2 * max(stretch, 1e2))
            np.testing.assert_allclose(cancelling, -log_det, atol=1e-12 * scale**2 * max(stretch, 1e2))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_float32_stays_finite_at_the_edge(kind, scale):
    extremes = tf.constant([0.0, 1e-40, -1e-20, 1e-3, -1.0, 1e3, 1e6, -1e6])[:, None] * tf.ones([1, 4])
    for seed in range(4):
        bijector = _with_weights(kind, scale, seed, "float32")
        for direction in (bijector.encode, bijector.decode):
            with tf.GradientTape() as tape:
                tape.watch(extremes)
                value, log_det = direction(extremes)
                loss = tf.reduce_sum(tf.sin(value)) + tf.reduce_sum(log_det)
            for result in (value, log_det, *tape.gradient(loss, [extremes, *bijector.own])):
                assert np.isfinite(result).all()


def test_the_bound_is_smooth_and_strict():
    a = tf.constant(np.r_[-np.logspace(12, -12, 49), 0.0, np.logspace(-12, 12, 49)])
    with tf.GradientTape() as tape:
        tape.watch(a)
        value, missing = above_minus_one(a)
    slope = tape.gradient(value, a)
    slope, value = slope.numpy(), value.numpy()
    assert (value >= -1.0 + LEAST_SLOPE).all() and (np.diff(value) >= 0).all()
    assert (slope > 0).all() and (slope <= 1).all() and slope[49] == 1.0
    np.testing.assert_array_equal(value[49:], a[49:])
    np.testing.assert_allclose(value - a, missing, rtol=1e-12, atol=1e-12)


def test_planar_is_the_formula_of_the_paper():
    bijector, x = _with_weights(b.Planar, 1.0, 0), _data("float64").numpy()
    w, u, bias = (weight.numpy() for weight in bijector.own)
    assert w @ u > 0  # so that u is taken as it is
    z, log_det = bijector.encode(x)
    h = np.tanh(x @ w + bias)
    np.testing.assert_allclose(z, x + u * h[:, None], rtol=1e-12)
    np.testing.assert_allclose(log_det, np.log(1 + (w @ u) * (1 - h**2)), rtol=1e-9)


def test_radial_at_its_centre():
    bijector = _with_weights(b.Radial, 1.0, 0)
    x = tf.constant(bijector.own[0].numpy()[None])
    for direction in (bijector.encode, bijector.decode):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value, log_det = direction(x)
            loss = tf.reduce_sum(value) + tf.reduce_sum(log_det)
        np.testing.assert_allclose(value, x, rtol=1e-12)
        for gradient in tape.gradient(loss, [x, *bijector.own]):
            assert np.isfinite(gradient).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", ["encode", "decode"])
def test_gradients_of_value_and_log_det(kind, direction):
    network = MLP(0, kind.parameter_count(4), [], 2, dtype="float64")
    bijector = kind((4,), network, seed=3, dtype="float64")
    numbers = np.random.default_rng(0)
    for weight in bijector.trainable_weights:
        weight.assign(0.7 * numbers.normal(size=weight.shape))
    condition, start = tf.constant(numbers.normal(size=(5, 2))), _data("float64", 5, 1.0)

    @tf.function
    def loss(x, condition):
        value, log_det = getattr(bijector, direction)(x, condition)
        return tf.reduce_sum(tf.sin(2.0 * value)) + tf.reduce_sum(tf.square(log_det))

    with tf.GradientTape() as tape:
        tape.watch([start, condition])
        value = loss(start, condition)
    inputs, step = [start, condition], 1e-6
    found = tape.gradient(value, [*inputs, *bijector.trainable_weights])
    for i, gradient in enumerate(found):
        nudge = numbers.normal(size=gradient.shape)
        ends = []
        for signed in (step, -step):
            moved = list(inputs)
            if i < 2:
                moved[i] = inputs[i] + signed * nudge
            else:
                bijector.trainable_weights[i - 2].assign_add(signed * nudge)
            ends.append(float(loss(*moved)))
            if i >= 2:
                bijector.trainable_weights[i - 2].assign_sub(signed * nudge)
        np.testing.assert_allclose(np.sum(gradient * nudge), (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_say_what_was_expected(kind):
    with pytest.raises(ValueError, match=r"needs a vector, got event_shape \(2, 2, 1\). Put a Flatten"):
        kind((2, 2, 1))
    count = kind.parameter_count(4)
    with pytest.raises(ValueError, match=rf"`conditioner` must have output_event_shape \({count},\), got \(3,\)"):
        kind((4,), MLP(0, 3, [], 2))
    with pytest.raises(ValueError, match=r"`conditioner` must have input_event_shape \(0,\), got \(4,\)"):
        kind((4,), MLP(4, count, [], 2))
