"""The root finder: to rounding at any magnitude, row by row, with the derivatives of the implicit function."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.core.roots import monotone_root


def _cubic(t, a, b):
    return t * (a + b * t * t), a + 3.0 * b * t * t


def _tanh(t, a, b):
    return b * t + a * tf.tanh(t), b + a / tf.square(tf.cosh(tf.clip_by_value(t, -40.0, 40.0)))


def _staircase(t, a, b):
    """Flat but for a step at each whole number, where Newton is lost."""
    whole = tf.floor(t)
    return whole + tf.sigmoid(200.0 * (t - whole - 0.5)) + 1e-4 * t, 1e-4 + tf.zeros_like(t)


MAGNITUDES = [0.0, 1e-40, 1e-30, 1e-12, 1e-4, 0.3, 1.0, 17.0, 1e3, 1e6, -1e-40, -1e-30, -1e-4, -0.5, -2.0, -1e6]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("function", "a", "b"),
    [(_cubic, 1.0, 0.5), (_cubic, 1.0, 1e3), (_tanh, 1e4, 1.0), (_tanh, -0.999, 1.0), (_tanh, 3.0, 0.01)],
)
def test_roots_of_all_magnitudes(function, a, b, dtype):
    expected, width = tf.constant(MAGNITUDES, dtype), tf.constant(1e7, dtype)
    a, b = tf.constant(a, dtype), tf.constant(b, dtype)
    target, slope = function(expected, a, b)
    root = monotone_root(function, target, expected - width, expected + 2.0 * width, [a, b])
    scale = np.maximum(np.abs(function(expected, abs(a), b)[0]), 1e-30)  # of the terms whose rounding f has
    residual, error = function(root, a, b)[0] - target, (root - expected) * slope
    assert np.isfinite(root).all()
    assert np.abs(residual / scale).max() < 30 * np.finfo(dtype).eps
    assert np.abs(error / scale).max() < 100 * np.finfo(dtype).eps


def test_bisection_saves_newton():
    target = tf.constant(np.random.default_rng(0).uniform(-50.0, 50.0, 200))
    root = monotone_root(_staircase, target, target - 3.0, target + 3.0, [tf.zeros(()), tf.zeros(())])
    below, above = (_staircase(root + step, 0.0, 0.0)[0] for step in (-1e-9, 1e-9))
    assert np.all(below <= target) and np.all(target <= above)


def test_an_empty_bracket_and_rows_that_are_not_finite():
    a, b = tf.constant(1.0), tf.constant(1.0)
    target = tf.constant([2.0, np.nan, 10.0, np.inf, 0.0])
    low = tf.constant([1.0, np.nan, 0.0, 0.0, 0.0])
    high = tf.constant([1.0, np.nan, 5.0, np.inf, 0.0])
    both = [tf.function(monotone_root, jit_compile=xla)(_cubic, target, low, high, [a, b]) for xla in (False, True)]
    for root in both:
        assert np.isnan(root[1]) and not np.isfinite(root[3])
        np.testing.assert_allclose(tf.gather(root, [0, 2, 4]), [1.0, 2.0, 0.0], rtol=1e-6)


def test_no_row_changes_a_bit_of_another():
    numbers = np.random.default_rng(0)
    target = tf.constant(numbers.normal(size=64) * 10.0 ** numbers.uniform(-6, 6, 64), tf.float32)
    a, b = tf.constant(1e3), tf.constant(1.0)

    def solve(target, width):
        return monotone_root(_tanh, target, target - width, target + width, [a, b]).numpy()

    clean = solve(target, 1e3)
    poison = np.where(np.arange(64) % 2, np.nan, 0.0)
    slow = np.where(np.arange(64) % 2, 1e6, 0.0)  # these rows now take longer
    np.testing.assert_array_equal(solve(target + poison, 1e3)[::2], clean[::2])
    np.testing.assert_array_equal(solve(target + slow, 1e3)[::2], clean[::2])


@pytest.mark.parametrize("xla", [False, True])
def test_gradients_are_those_of_the_implicit_function(xla):
    target, a, b = (tf.constant(v, tf.float64) for v in ([-3.0, 0.0, 0.2, 9.0], [1.0, -0.9, 2.0, 0.5], 1.0))

    @tf.function(jit_compile=xla)
    def gradients(target, a, b):
        with tf.GradientTape() as tape:
            tape.watch([target, a, b])
            root = monotone_root(_tanh, target, target - 5.0, target + 5.0, [a, b])
            # an own use of the root, as in a log-determinant
            loss = tf.reduce_sum(tf.sin(root) + tf.math.log(_tanh(root, a, b)[1]))
        return loss, tape.gradient(loss, [target, a, b])

    values, step = [target, a, b], 1e-6
    for i, gradient in enumerate(gradients(*values)[1]):
        for index in np.ndindex(*values[i].shape):
            nudge = np.zeros(values[i].shape)
            nudge[index] = step
            up, down = (gradients(*values[:i], values[i] + s * nudge, *values[i + 1 :])[0] for s in (1, -1))
            np.testing.assert_allclose(gradient.numpy()[index], (up - down) / (2 * step), rtol=1e-7, atol=1e-8)
