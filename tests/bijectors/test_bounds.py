import re

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from flowzoo import bases, bijectors, flows

BOUNDS = [[0, 1], [0, None], [None, 3], None]


def test_outside_and_at_the_bounds_log_det_is_minus_infinity():
    layer = bijectors.Bounds((4,), BOUNDS)
    inside = np.array([0.5, 1.0, 1.0, 1.0])
    x = np.tile(inside, (8, 1))
    for row, (column, value) in enumerate([(0, -0.1), (0, 0.0), (0, 1.0), (0, 2.0), (1, 0.0), (1, -1.0), (2, 3.0)]):
        x[row, column] = value
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z, log_det = layer.encode(x)
        loss = 3.0 * tf.reduce_sum(z) + tf.reduce_sum(log_det)
    assert np.isneginf(log_det[:7]).all() and np.isfinite(log_det[7]) and np.isfinite(z).all()
    gradient = tape.gradient(loss, x).numpy()
    assert np.isfinite(gradient).all() and gradient[0, 0] == 0.0 and (gradient[7] != 0.0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_decode_stays_inside_to_the_last_bit(dtype):
    layer = bijectors.Bounds((4,), BOUNDS, dtype=dtype)
    for size in (1e-3, 30.0, 1e3, 1e30):
        z = tf.constant(np.array([[size], [-size]]) * np.ones((2, 4)), dtype)
        x, log_det = layer.decode(z)
        assert np.isfinite(x).all() and np.isfinite(log_det).all() and not layer.outside(x).numpy().any()
        assert np.isfinite(layer.encode(x)[1]).all()


@pytest.mark.parametrize(
    ("bounds", "base", "truth"),
    [
        ([2.0, 5.0], bases.Logistic, scipy.stats.uniform(2.0, 3.0)),
        ([2.0, None], bases.StandardNormal, scipy.stats.lognorm(1.0, loc=2.0)),
        ([1.7e9, None], bases.StandardNormal, scipy.stats.lognorm(1.0, loc=1.7e9)),
    ],
)
def test_densities_are_those_of_scipy(bounds, base, truth):
    flow = flows.Flow(bijectors.Bounds((1,), [bounds]), base((1,), dtype="float64"))
    x = truth.rvs((50, 1), random_state=0)
    np.testing.assert_allclose(flow.log_prob(x), truth.logpdf(x)[:, 0], rtol=1e-6, atol=1e-6)
    outside = flow.log_prob(np.array([[bounds[0] - 1.0], [bounds[0]]])).numpy()
    assert np.isneginf(outside).all()


def test_an_upper_bound_mirrors_a_lower_one():
    low, high = bijectors.Bounds((1,), [[0.0, None]]), bijectors.Bounds((1,), [[None, 0.0]])
    x = np.random.default_rng(0).gamma(2.0, size=(9, 1))
    for mirrored, expected in zip(high.encode(-x), low.encode(x), strict=True):
        np.testing.assert_allclose(np.abs(mirrored), np.abs(expected), rtol=1e-12)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ([[0, 1]], "one for each of the 2 features, got 1 entries"),
        ("ab", "must be a list of [low, high], either of them None, or None, one for each of the 2 features, got 'ab'"),
        (3, "got 3"),
        ([[0, 1], [1, 0]], "got [1, 0] for feature 1. `low` must be below `high`"),
        ([[0, 0], None], "got [0, 0] for feature 0"),
        ([[0, float("inf")], None], "got [0, inf] for feature 0. Bounds are finite numbers or None"),
        ([[0, "1"], None], "got [0, '1'] for feature 0"),
        ([[0], None], "got [0] for feature 0"),
        ([[0, True], None], "got [0, True] for feature 0"),
        ([None, [0, 1e-320]], "must have normal float64 numbers between them, got [0.0, 1e-320] for feature 1"),
        ([[1, 1 + 2**-52], None], "must have normal float64 numbers between them, got [1.0, 1.0000000000000002] for"),
    ],
)
def test_wrong_bounds_are_named(bounds, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        bijectors.Bounds((2,), bounds)


@pytest.mark.parametrize("bounds", [[0, 1e-40], [1e39, None], [None, -1e39], [1, 1 + 1e-8]])
def test_bounds_must_leave_room_in_float32(bounds):
    assert bijectors.Bounds((1,), [bounds]).bounds
    with pytest.raises(ValueError, match="must have normal float32 numbers between them, got"):
        bijectors.Bounds((1,), [bounds], dtype="float32")


def test_the_narrowest_bounds_have_a_finite_density():
    tiny = np.finfo("float64").tiny
    layer = bijectors.Bounds((1,), [[0.0, 2 * tiny]])
    z, log_det = layer.encode(np.full((1, 1), tiny))
    x, _ = layer.decode(z)
    assert np.isfinite(z).all() and np.isfinite(log_det).all() and x == tiny
