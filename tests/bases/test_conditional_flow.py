"""Posteriors with a flow: draws and densities belong together, in flowzoo and in TFP."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats

from flowzoo import bases
from flowzoo import bijectors as b
from flowzoo.conditioners import MADE, MLP
from flowzoo.core import random
from flowzoo.core.transform import Bijector, constant_log_det
from flowzoo.models.flow import Flow
from flowzoo.surjections import Stochastic
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


def test_rows_of_the_distribution_are_distributions():
    distribution = _posterior().distribution(CONDITION)
    for key, shape in ((0, ()), (slice(1, 3), (2,))):
        some = distribution[key]
        assert some.batch_shape == shape and some.event_shape == (2,) and some.sample(4, seed=1).shape == (4, *shape, 2)
        np.testing.assert_allclose(some.mean(), distribution.mean()[key], rtol=1e-12)


def test_means_of_rows_that_agree_agree():
    posterior = _posterior()
    means = posterior.mean(tf.repeat(CONDITION[:1], 5, axis=0)).numpy()  # an unused latent has no variance over rows
    np.testing.assert_allclose(means, means[:1].repeat(5, axis=0), rtol=1e-14)


class _Linear(Bijector):
    """x = matrix z."""

    def __init__(self, matrix):
        super().__init__((len(matrix),))
        self.matrix = tf.constant(matrix, tf.float32)

    def _encode(self, x, condition):
        z = tf.linalg.matvec(tf.linalg.inv(self.matrix), x)
        return z, constant_log_det(-tf.linalg.logdet(self.matrix @ tf.transpose(self.matrix)) / 2.0, x)

    def _decode(self, z, condition):
        log_det = tf.linalg.logdet(self.matrix @ tf.transpose(self.matrix)) / 2.0
        return tf.linalg.matvec(self.matrix, z), constant_log_det(log_det, z)


def _linear_network(kernel, log_scales):
    """The network of a normal base: loc is linear, the log-scales are constant."""
    dense = keras.layers.Dense(2 * len(kernel))
    dense.build((None, kernel.shape[1]))
    dense.set_weights(
        [
            np.concatenate([kernel, 0.0 * kernel]).T,
            np.r_[np.zeros(len(kernel)), 5.0 * np.arctanh(np.divide(log_scales, 5.0))],
        ]
    )
    return dense


def test_it_is_exact_where_a_factorised_posterior_is_not():
    loadings, noise = np.array([[1.5, 1.0], [-0.5, 0.6], [1.0, 0.3]]), 0.7  # probabilistic PCA, Tipping & Bishop 1999
    precision = loadings.T @ loadings / noise**2 + np.eye(2)
    covariance = np.linalg.inv(precision)
    gain, root = covariance @ loadings.T / noise**2, np.linalg.cholesky(covariance)
    decoder = bases.ConditionalNormal((3,), 2, _linear_network(loadings, np.full(3, np.log(noise))))
    flowed = bases.ConditionalFlow((2,), 3, _linear_network(np.linalg.solve(root, gain), np.zeros(2)), _Linear(root))
    factorised = bases.ConditionalNormal((2,), 3, _linear_network(gain, -0.5 * np.log(np.diag(precision))))
    truth = stats.multivariate_normal(np.zeros(3), loadings @ loadings.T + noise**2 * np.eye(3))
    x = truth.rvs(2000, random_state=0).astype("float32")
    exact, bound = (
        Flow(Stochastic(posterior, decoder), bases.StandardNormal((2,))).log_prob(x)
        for posterior in (flowed, factorised)
    )
    np.testing.assert_allclose(exact, truth.logpdf(x), rtol=1e-4, atol=1e-4)
    gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])  # of the best factorised posterior
    gaps = truth.logpdf(x) - bound
    assert gap > 0.1 and abs(np.mean(gaps) - gap) < 4.0 * np.std(gaps) / np.sqrt(2000)


def test_what_has_no_density_is_refused():
    network = MLP(3, 14, [6], random_outputs=4)
    with pytest.raises(TypeError, match="`transform` must be an exact bijection, got Squared"):
        bases.ConditionalFlow((5,), 3, network, type("Squared", (), {})())
    with pytest.raises(ValueError, match=r"`transform` must map \(5,\) to itself, got \(4,\)"):
        bases.ConditionalFlow((5,), 3, network, b.Reverse((4,)))
    with pytest.raises(ValueError, match="Train a posterior with a flow by 'iwae' or 'rws', not by 'dreg' or 'chi'"):
        _posterior().draws_with_log_prob(random.row_seeds(0, 3), 1, CONDITION, fixed=True)
