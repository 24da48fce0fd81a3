"""Splines where they are hardest, and against TFP's."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from flowzoo.bijectors import RationalQuadratic
from flowzoo.bijectors.spline import _starts, inverse_rational_quadratic, rational_quadratic

BOUND = 3.0
ENDS = [{}, {"circular": True}, {"box": True}]


def raw(scalar, rows, scale, dtype="float32", seed=0):
    return (scale * np.random.default_rng(seed).standard_normal((rows, scalar.outputs_per_entry))).astype(dtype)


def hard_inputs(scalar, numbers):
    """Values inside, outside, at the ends and at the knots of both sides (all with the same parameters)."""
    sizes = scalar._knots(tf.constant(numbers[:1]))[:2]
    knots = np.concatenate([_starts(part, BOUND)[0, :, 0] for part in sizes])
    ends = np.float32([BOUND, -BOUND, np.nextafter(np.float32(BOUND), 0), 1e-40, -1e-40, 0.0])
    far = np.float32([1e6, -1e6, 1e30, -3e38])
    inside = np.linspace(-BOUND - 0.2, BOUND + 0.2, 4001).astype("float32")
    return np.concatenate([inside, knots, np.nextafter(knots, 4), np.nextafter(knots, -4), ends, far])[:, None]


def assert_monotone_and_invertible(scalar, numbers):
    """For one row of parameters, (1, outputs_per_entry), which all inputs share."""
    x = np.sort(hard_inputs(scalar, numbers), axis=0)
    numbers = np.repeat(numbers, len(x), axis=0)
    z, log_slope = scalar.encode(x, numbers)
    again, back = scalar.decode(z, numbers)
    assert all(np.isfinite(value).all() for value in (z, log_slope, again, back))
    assert np.diff(z[:, 0]).min() >= -1e-6  # increasing, to rounding
    within = np.abs(x) <= BOUND
    assert np.abs(again - x)[within].max() < 1e-4
    assert np.abs(scalar.encode(scalar.decode(x, numbers)[0], numbers)[0] - x)[within].max() < 1e-4
    for value, slope in (scalar.encode(x, numbers), scalar.decode(x, numbers)):
        np.testing.assert_array_equal(value[~within], x[~within])
        np.testing.assert_array_equal(slope[~within], 0.0)


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("bins", [2, 8, 20])
@pytest.mark.parametrize("scale", [1.0, 1e3])
@pytest.mark.parametrize("seed", range(5))
def test_is_monotone_and_invertible_for_any_parameters(bins, scale, seed, ends):
    scalar = RationalQuadratic(bins, BOUND, **ends)
    assert_monotone_and_invertible(scalar, raw(scalar, 1, scale, seed=seed))


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("bins", [2, 8, 20])
@pytest.mark.parametrize("seed", range(3))
def test_also_where_every_parameter_is_at_an_extreme(bins, seed, ends):
    scalar = RationalQuadratic(bins, BOUND, **ends)
    extremes = np.random.default_rng(seed).choice([-1e3, 0.0, 1e3], (1, scalar.outputs_per_entry))
    assert_monotone_and_invertible(scalar, extremes.astype("float32"))


@pytest.mark.parametrize("ends", ENDS)
def test_gradients_are_finite_at_knots_and_far_outside(ends):
    scalar = RationalQuadratic(8, BOUND, **ends)
    numbers = raw(scalar, 1, 1e3)
    x = tf.constant(hard_inputs(scalar, numbers))
    numbers = tf.repeat(tf.constant(numbers), len(x), axis=0)
    for direction in (scalar.encode, scalar.decode):
        with tf.GradientTape() as tape:
            tape.watch([x, numbers])
            loss = tf.add_n([tf.reduce_sum(part) for part in direction(x, numbers)])
        assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, [x, numbers]))


@pytest.mark.parametrize("ends", ENDS)
def test_zero_parameters_are_the_identity(ends):
    scalar = RationalQuadratic(8, BOUND, **ends)
    x = np.linspace(-4, 4, 50, dtype="float32")[:, None]
    z, log_slope = scalar.encode(x, np.zeros((50, scalar.outputs_per_entry), "float32"))
    np.testing.assert_allclose(z, x, atol=1e-6)
    np.testing.assert_allclose(log_slope, 0.0, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_equals_that_of_tfp(scale):
    scalar = RationalQuadratic(6, BOUND)
    widths, heights, slopes = scalar._knots(tf.constant(raw(scalar, 200, scale, "float64")))
    x = np.random.default_rng(1).uniform(-3.5, 3.5, (200, 1))
    last = (tf.linalg.matrix_transpose(part) for part in (widths, heights, slopes[..., 1:-1, :]))
    reference = tfp.bijectors.RationalQuadraticSpline(*last, range_min=-BOUND)
    y, log_slope = rational_quadratic(tf.constant(x), widths, heights, slopes, BOUND)
    np.testing.assert_allclose(y, reference.forward(x), atol=1e-12)
    np.testing.assert_allclose(log_slope, reference.forward_log_det_jacobian(x, 0), atol=1e-10)
    back, log_back = inverse_rational_quadratic(y, widths, heights, slopes, BOUND)
    np.testing.assert_allclose(back, x, atol=1e-10)
    np.testing.assert_allclose(log_back, -log_slope, atol=1e-8)


def test_a_circular_one_is_smooth_where_its_ends_meet():
    scalar = RationalQuadratic(5, np.pi, circular=True)
    numbers = raw(scalar, 1, 1.0, "float64")
    ends = np.array([[-np.pi], [-np.pi + 1e-9], [np.pi - 1e-9], [np.pi]])
    for sign, direction in ((1, scalar.encode), (-1, scalar.decode)):
        z, log_slope = direction(ends, np.repeat(numbers, 4, axis=0))
        np.testing.assert_allclose(z, ends, atol=1e-7)  # the interval onto itself
        np.testing.assert_allclose(log_slope, sign * scalar.encode(ends[1:2], numbers)[1][0, 0], atol=1e-6)
        assert abs(float(log_slope[0, 0])) > 1e-3  # learned, not 0
    x = np.random.default_rng(0).uniform(-np.pi, np.pi, (50, 1))
    z, _ = scalar.encode(x, np.repeat(numbers, 50, axis=0))
    np.testing.assert_allclose(scalar.decode(z, np.repeat(numbers, 50, axis=0))[0], x, atol=1e-9)


def test_slopes_at_the_ends_of_a_box_are_learned():
    scalar = RationalQuadratic(5, BOUND, box=True)
    numbers = raw(scalar, 1, 1.0, "float64")
    ends = np.array([[-BOUND], [BOUND]])
    z, log_slope = scalar.encode(ends, np.repeat(numbers, 2, axis=0))
    np.testing.assert_allclose(z, ends, atol=1e-12)
    inside, _ = scalar.encode(ends * (1 - 1e-9), np.repeat(numbers, 2, axis=0))
    np.testing.assert_allclose(np.exp(log_slope), (z - inside) / (ends * 1e-9), rtol=1e-4)
    assert np.abs(log_slope).min() > 1e-2 and abs(float(log_slope[0, 0] - log_slope[1, 0])) > 1e-2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bins": 1}, "`bins` must be 2 to 20, got 1"),
        ({"bins": 21}, "`bins` must be 2 to 20, got 21"),
        ({"bound": 0.0}, r"`bound` must be finite and positive, got 0\.0"),
        ({"circular": True, "box": True}, "`circular` and `box` exclude each other"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        RationalQuadratic(**arguments)
