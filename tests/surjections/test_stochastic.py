"""The stochastic layer against probabilistic PCA, of which density and posterior are known (Tipping & Bishop 1999)."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from flowzoo.bases import ConditionalBernoulli, ConditionalNormal, StandardNormal
from flowzoo.conditioners import MLP
from flowzoo.core.context import Context
from flowzoo.core.random import row_seeds
from flowzoo.models.flow import Flow
from flowzoo.surjections import Stochastic
from tests import cases

SCALE = 0.7  # of the noise
LOADINGS = np.array([[1.5, 0.2], [-0.5, 0.6], [1.0, 0.0]])
LOADINGS[:, 1] -= LOADINGS[:, 0] * (LOADINGS[:, 0] @ LOADINGS[:, 1]) / (LOADINGS[:, 0] @ LOADINGS[:, 0])  # orthogonal
MEAN = np.array([0.3, -1.0, 2.0])


def linear(shape, kernel, bias, scales):
    """N(kernel h + bias, scales^2), given h."""
    dense = keras.layers.Dense(2 * len(kernel))
    dense.build((None, kernel.shape[1]))
    raw = 5.0 * np.arctanh(np.log(scales) / 5.0)
    dense.set_weights([np.concatenate([kernel, 0.0 * kernel]).T, np.concatenate([bias, raw])])
    return ConditionalNormal(shape, kernel.shape[1], dense)


def model(shift=0.0):
    """x = LOADINGS z + MEAN + noise, with its true posterior, or one that is off by a shift."""
    precisions = (LOADINGS**2).sum(axis=0) / SCALE**2 + 1.0
    gain = (LOADINGS / SCALE**2 / precisions).T
    posterior = linear((2,), gain, shift - gain @ MEAN, precisions**-0.5)
    return Flow(Stochastic(posterior, linear((3,), LOADINGS, MEAN, np.full(3, SCALE))), StandardNormal((2,)))


def truth():
    return stats.multivariate_normal(MEAN, LOADINGS @ LOADINGS.T + SCALE**2 * np.eye(3))


def test_with_the_true_posterior_every_draw_is_exact():
    x, flow = truth().rvs(20, random_state=0).astype("float32"), model()
    for seed in (0, 1):
        np.testing.assert_allclose(flow.log_prob(x, seed=seed), truth().logpdf(x), rtol=1e-4, atol=1e-4)


def test_more_draws_lift_the_bound_towards_the_density():
    x, flow = truth().rvs(500, random_state=0).astype("float32"), model(shift=0.5)
    gaps = [np.mean(truth().logpdf(x) - flow.log_prob(x, samples=samples)) for samples in (1, 10, 300)]
    precisions = (LOADINGS**2).sum(axis=0) / SCALE**2 + 1.0
    assert gaps[0] == pytest.approx(0.5 * 0.25 * precisions.sum(), rel=0.1)  # KL(q || posterior)
    assert gaps[0] > gaps[1] > gaps[2] > -0.01 and gaps[2] < 0.02


def test_samples_follow_the_model():
    x = model().sample(20_000, seed=0, batch_size=20_000).numpy()
    np.testing.assert_allclose(x.mean(axis=0), MEAN, atol=0.06)
    np.testing.assert_allclose(np.cov(x.T), LOADINGS @ LOADINGS.T + SCALE**2 * np.eye(3), atol=0.12)


def test_decode_gives_minus_the_contribution_of_the_pair_it_made():
    layer, z = cases.randomized(model(0.3).transform), tf.random.stateless_normal((6, 2), (0, 1))
    x, log_det = layer.decode(z, context=Context(row_seeds(3, 6)))
    density, inference = layer.decoder.distribution(z), layer.posterior.distribution(x)
    np.testing.assert_allclose(log_det, inference.log_prob(z) - density.log_prob(x), rtol=1e-5, atol=1e-5)
    again, unknown = layer.decode(z, context=Context(row_seeds(3, 6), log_det=False))
    np.testing.assert_array_equal(again, x)
    assert (unknown.numpy() == 0.0).all()


def test_parts_that_do_not_fit_are_named():
    normal, ones = ConditionalNormal((2,), 3, MLP(3, 4)), ConditionalBernoulli((3,), 2, MLP(2, 3))
    assert Stochastic(normal, ones).takes_integers
    with pytest.raises(TypeError, match="`posterior` must be a base with a network, got StandardNormal"):
        Stochastic(StandardNormal((2,)), ones)
    with pytest.raises(ValueError, match="`posterior` x of 3 and the condition, got 4"):
        Stochastic(ConditionalNormal((2,), 4, MLP(4, 4)), ones)
    with pytest.raises(TypeError, match="of one dtype, got float64 and float32"):
        Stochastic(ConditionalNormal((2,), 3, MLP(3, 4, dtype="float64"), dtype="float64"), ones)
