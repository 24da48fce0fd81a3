"""Slicing against Gaussians, whose marginal and conditional densities are known."""

import numpy as np
import tensorflow as tf
from scipy import stats

from flowzoo import bases, surjections
from flowzoo import bijectors as b
from flowzoo.conditioners import MLP
from flowzoo.models.flow import Flow

COVARIANCE = np.array([[2.0, 0.6, -0.4], [0.6, 1.0, 0.3], [-0.4, 0.3, 1.5]])
KEPT, FREE = [0, 1], [2]


def _linear(features, outputs, kernel, bias):
    """A conditioner without hidden layers and with these weights."""
    network = MLP(features, outputs, [])
    network.head.set_weights([np.asarray(kernel, "float32"), np.asarray(bias, "float32")])
    return network


def _funnel():
    """A funnel that is the Gaussian of `COVARIANCE`: z are its first two columns, made independent of each other.

    What it gives up is drawn from its exact conditional distribution.
    """
    root = np.linalg.cholesky(COVARIANCE[:2, :2])
    gain = np.linalg.solve(COVARIANCE[:2, :2], COVARIANCE[:2, 2:])
    left = float(COVARIANCE[2, 2] - COVARIANCE[2, :2] @ gain[:, 0])
    split = b.FeatureMask([1, 1, 0])
    raw = 2.0 * np.arctanh(-0.5 * np.log(left) / 2.0)  # AffineCoupling bounds its log-scales by 2
    network = _linear(2, 2, np.c_[-gain, np.zeros(2)], [0.0, raw])
    whitening = b.Whitening((2,))
    flow = Flow(
        b.Chain([b.AffineCoupling((3,), split, network), surjections.Slice(split), whitening]),
        bases.StandardNormal((2,)),
    )
    corners = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]).repeat(250, axis=0)  # of unit covariance
    x = corners * np.sqrt(1.0 - 1.0 / len(corners)) @ root.T  # np.cov divides by one less
    whitening.adapt(tf.constant(x, tf.float32))
    return flow


def test_a_funnel_is_exact_where_its_parts_are():
    truth = stats.multivariate_normal(np.zeros(3), COVARIANCE)
    x = truth.rvs(500, random_state=1).astype("float32")
    flow = _funnel()
    assert flow.kind == "exact" and flow.latent_shape == (2,)
    np.testing.assert_allclose(flow.log_prob(x), truth.logpdf(x), rtol=1e-4, atol=1e-4)
    drawn = flow.sample(20_000, seed=0, batch_size=20_000).numpy()
    np.testing.assert_allclose(np.cov(drawn.T), COVARIANCE, atol=0.07)


def test_encode_undoes_decode_and_not_the_other_way_round():
    flow, z = _funnel(), np.random.default_rng(2).normal(size=(6, 2)).astype("float32")
    one, other = (flow.decode(z, seed=seed)[0] for seed in (1, 2))
    for x in (one, other):
        np.testing.assert_allclose(flow.encode(x)[0], z, atol=1e-5)
    assert (np.abs(one - other)[:, FREE] > 1e-4).all()
    np.testing.assert_allclose(one.numpy()[:, KEPT], other.numpy()[:, KEPT], rtol=1e-6)
