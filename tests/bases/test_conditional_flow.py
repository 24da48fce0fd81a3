"""Posteriors with a flow: draws and densities belong together, in flowzoo and in TFP."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats

from flowzoo import bases
from flowzoo import bijectors as b
from flowzoo.conditioners import MADE, MLP
from flowzoo.core import random
from flowzoo.testing import randomized


def _posterior(features=2, dtype="float64"):
    """An inverse autoregressive flow on a normal, both given three numbers."""
    network = MLP(3, 2 * features + 4, [6], random_outputs=4, seed=1, dtype=dtype)
    made = MADE(features, 2, [6], 4, seed=2, dtype=dtype)
    flow = b.Invert(b.Autoregressive(made, b.Affine(), dtype=dtype))
    return randomized(bases.ConditionalFlow((features,), 3, network, flow, dtype=dtype))


CONDITION = tf.constant(np.random.default_rng(0).normal(size=(3, 3)))


def test_it_is_a_density():
    posterior = _posterior()
    grid = np.linspace(-40.0, 40.0, 801)
    points = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    log_q = posterior.log_prob(tf.constant(points), tf.repeat(CONDITION[:1], len(points), axis=0))
    mass = np.exp(np.reshape(log_q, [801, 801]))
    assert abs(integrate.simpson(integrate.simpson(mass, x=grid), x=grid) - 1.0) < 1e-3


def test_a_draw_comes_with_its_density():
    posterior, seeds = _posterior(), random.row_seeds(3, 3)
    z, log_q = posterior.sample_with_log_prob(seeds, tf.ones(3), CONDITION)
    np.testing.assert_allclose(log_q, posterior.log_prob(z, CONDITION), rtol=1e-6)
    np.testing.assert_array_equal(z, posterior.sample(seeds, tf.ones(3), CONDITION))
    several, log_several = posterior.draws_with_log_prob(random.row_seeds(4, 6), 2, CONDITION)
    repeated = tf.repeat(CONDITION, 2, axis=0)
    np.testing.assert_allclose(log_several, posterior.log_prob(several, repeated), rtol=1e-6)


def test_draws_follow_the_density():
    posterior, rows = _posterior(1), 4000
    z = posterior.sample(random.row_seeds(3, rows), tf.ones(rows), tf.repeat(CONDITION[:1], rows, axis=0))
    grid = np.linspace(-60.0, 60.0, 12001)
    density = np.exp(posterior.log_prob(tf.constant(grid[:, None]), tf.repeat(CONDITION[:1], len(grid), axis=0)))
    cdf = integrate.cumulative_trapezoid(density, grid, initial=0.0)
    assert stats.kstest(np.ravel(z), lambda values: np.interp(values, grid, cdf)).pvalue > 1e-3
    mean = integrate.trapezoid(grid * density, grid)
    assert abs(float(posterior.mean(CONDITION)[0, 0]) - mean) < 4.0 * np.std(z) / np.sqrt(bases.conditional_flow.DRAWS)


def test_tfp_sees_the_same_distribution():
    posterior = _posterior()
    distribution = posterior.distribution(CONDITION)
    assert distribution.batch_shape == (3,) and distribution.event_shape == (2,)
    z, log_q = distribution.experimental_sample_and_log_prob((4,), seed=1)
    assert z.shape == (4, 3, 2)
    np.testing.assert_allclose(log_q, distribution.log_prob(z), rtol=1e-6)
    np.testing.assert_allclose(log_q[1], posterior.log_prob(z[1], CONDITION), rtol=1e-6)
    np.testing.assert_array_equal(distribution.mean(), posterior.mean(CONDITION))
    assert not np.array_equal(z, distribution.sample(4, seed=2))


def test_means_of_rows_that_agree_agree():
    posterior = _posterior()
    means = posterior.mean(tf.repeat(CONDITION[:1], 5, axis=0)).numpy()  # an unused latent has no variance over rows
    np.testing.assert_allclose(means, means[:1].repeat(5, axis=0), rtol=1e-14)


def test_what_has_no_density_is_refused():
    network = MLP(3, 14, [6], random_outputs=4)
    with pytest.raises(TypeError, match="`transform` must be an exact bijection, got Squared"):
        bases.ConditionalFlow((5,), 3, network, type("Squared", (), {})())
    with pytest.raises(ValueError, match=r"`transform` must map \(5,\) to itself, got \(4,\)"):
        bases.ConditionalFlow((5,), 3, network, b.Reverse((4,)))
    with pytest.raises(ValueError, match="Train a posterior with a flow by 'iwae', not by 'dreg'"):
        _posterior().draws_with_log_prob(random.row_seeds(0, 3), 1, CONDITION, tf.identity)
