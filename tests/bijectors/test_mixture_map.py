"""Mixtures of Gaussians as a map, against SciPy, and far out."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from flowzoo.bijectors import GaussianMixtureMap
from flowzoo.bijectors.mixture_map import ndtri_exp, normal_tail


def test_log_of_the_normal_distribution_function_and_its_inverse():
    x = np.concatenate([np.linspace(-45, 8, 500), [-1e3, -1e6]])
    np.testing.assert_allclose(normal_tail(tf.constant(x))[0], special.log_ndtr(x), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(normal_tail(tf.constant(x, tf.float32))[0], special.log_ndtr(x), rtol=1e-5, atol=1e-6)
    log_p = np.concatenate([-np.geomspace(np.log(2), 1e3, 200), [-1e12]])
    z = ndtri_exp(tf.constant(log_p))
    np.testing.assert_allclose(z, special.ndtri_exp(log_p), rtol=1e-9, atol=1e-12)


def test_is_the_normal_score_of_the_mixture():
    scalar, numbers = GaussianMixtureMap(3), np.random.default_rng(0)
    raw, x = numbers.standard_normal((50, 9)), 2 * numbers.standard_normal((50, 1))
    z, log_slope = scalar.encode(tf.constant(x), tf.constant(raw))
    log_weight, mean, log_scale = (part[..., 0].numpy() for part in scalar._parameters(tf.constant(raw)))
    parts = stats.norm(mean, np.exp(log_scale))
    np.testing.assert_allclose(stats.norm.cdf(z[:, 0]), (np.exp(log_weight) * parts.cdf(x)).sum(axis=1), rtol=1e-9)
    density = (np.exp(log_weight) * parts.pdf(x)).sum(axis=1)
    np.testing.assert_allclose(stats.norm.logpdf(z[:, 0]) + log_slope[:, 0], np.log(density), rtol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_far_out_and_with_large_parameters_it_stays_finite(scale):
    scalar = GaussianMixtureMap(4)
    x = np.float32([1e6, -1e6, 1e-40, 0.0, 30.0, -30.0, 1e20, -1e30])[:, None]
    raw = (scale * np.random.default_rng(1).standard_normal((8, 12))).astype("float32")
    z, log_slope = scalar.encode(x, raw)
    again, back = scalar.decode(z, raw)
    assert all(np.isfinite(value).all() for value in (z, log_slope, again, back))
    assert all(np.isfinite(value).all() for value in scalar.decode(x, raw))
    if scale == 1.0:
        np.testing.assert_allclose(again[:6], x[:6], rtol=1e-4, atol=1e-4)  # z is the same beyond 1e18 deviations


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"components": 0}, "`components` must be at least 1"), ({"bound": 0.0}, "`bound` must be finite and positive")],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixtureMap(**arguments)
