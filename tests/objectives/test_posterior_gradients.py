"""Gradients of the posterior by `chi` and `rws`, whose direction is known, and of what they must leave to the bound."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, optimize, stats

from flowzoo.bijectors import Chain
from flowzoo.bijectors.actnorm import ElementwiseAffine
from flowzoo.models.flow import Flow
from tests.objectives.linear_gaussian import NOISE, OFF, LinearGaussian, value
from tests.objectives.test_importance_weighted import gradients

ONE = LinearGaussian(1, 1, (0.8,), 1.2)  # one latent, so that quadrature gives the truth
X = 0.9
Z = np.linspace(-12.0, 12.0, 4001)


def biases_of(flow):
    return flow.transform.posterior.network.bias


def log_joint(z):
    decoder = stats.norm(ONE.loadings[0, 0] * z + ONE.mean[0], NOISE)
    return stats.norm.logpdf(z) + decoder.logpdf(X)


def log_q(z, x, biases):
    """The posterior with these biases: that of the mean, and that of the log-scale before its bound of 5."""
    return stats.norm(ONE.gain[0, 0] * x + biases[0], np.exp(5.0 * np.tanh(biases[1] / 5.0))).logpdf(z)


def minus_elbo(biases):
    density = log_q(Z, X, biases)
    return integrate.simpson(np.exp(density) * (density - log_joint(Z)), x=Z)


def cubo(n, biases):
    return np.log(integrate.simpson(np.exp(n * log_joint(Z) + (1 - n) * log_q(Z, X, biases)), x=Z)) / n


def forward_divergence(biases):
    joint = np.exp(log_joint(Z))
    return -integrate.simpson(joint * log_q(Z, X, biases), x=Z) / integrate.simpson(joint, x=Z)


def asleep(biases):
    """-E log q(z | x) over pairs of the model: log q is quadratic, so that three nodes are exact."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    z, noise = np.meshgrid(nodes, nodes)
    x = ONE.loadings[0, 0] * z + ONE.mean[0] + NOISE * noise
    return -np.sum(np.outer(weights, weights) / (2.0 * np.pi) * log_q(z, x, biases))


def nothing(biases):
    return 0.0 * biases[0]


@pytest.mark.parametrize(
    ("name", "draws", "minimised"),
    [
        ("chi(n=2, draws=1)", 1, minus_elbo),
        ("chi(n=3, draws=1)", 1, lambda biases: 2.0 * minus_elbo(biases)),
        ("chi(n=2, draws=2000)", 2000, functools.partial(cubo, 2)),
        ("chi(n=3, draws=2000)", 2000, functools.partial(cubo, 3)),
        ("rws(draws=1)", 1, nothing),
        ("rws(draws=2000)", 2000, forward_divergence),
        ("rws(sleep=1.0)", 5, asleep),
        (
            "rws(draws=2000, sleep=0.25)",
            2000,
            lambda biases: 0.75 * forward_divergence(biases) + 0.25 * asleep(biases),
        ),
    ],
)
def test_the_posterior_descends_what_its_objective_names(name, draws, minimised):
    flow, rows = ONE.flow(), 20_000 // min(draws, 200)
    expected = optimize.approx_fprime(biases_of(flow).numpy().astype("float64"), minimised, 1e-6)
    x, found = np.full((rows, 1), X, "float32"), []
    for seed in range(12):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(value(flow, name, x, seed))
        found.append(tape.gradient(loss, biases_of(flow).value).numpy())
    error = np.std(found, axis=0) / len(found) ** 0.5
    np.testing.assert_array_less(np.abs(np.mean(found, axis=0) - expected), 5.0 * error + 5.0 / draws * (draws > 5))
    assert (error < 0.05).all() and (minimised is nothing or np.abs(expected).max() > 0.3)


def test_at_the_true_posterior_no_draw_of_chi_has_a_gradient_and_rws_none_on_average():
    flow, x = LinearGaussian().flow(), LinearGaussian().rows(50)
    for name in ("chi", "chi(n=4, draws=20)"):
        assert np.abs(gradients(flow, name, x, 0)[0]).max() < 1e-4
    for name in ("rws", "rws(sleep=1.0)"):
        many = np.array([gradients(flow, name, LinearGaussian().rows(500), seed)[0] for seed in range(20)])
        assert (np.abs(many.mean(axis=0)) < 5.0 * many.std(axis=0) / 20**0.5).all() and many.std() > 1e-3


@pytest.mark.parametrize("name", ["chi(draws=8)", "chi(n=5, draws=8)", "rws(draws=8)", "rws(draws=8, sleep=0.5)"])
def test_the_decoder_is_trained_by_the_lower_bound(name):
    flow, x = OFF.flow(), OFF.rows(100)
    np.testing.assert_array_equal(value(flow, name, x), value(flow, "iwae(draws=8)", x))
    bound, found = gradients(flow, "iwae(draws=8)", x, 0), gradients(flow, name, x, 0)
    np.testing.assert_allclose(found[1], bound[1], rtol=1e-3, atol=1e-4)
    assert np.abs(found[0] - bound[0]).max() > 1e-2


@pytest.mark.parametrize("name", ["chi(draws=500)", "rws(draws=500)"])
def test_a_transform_before_the_layer_is_a_part_of_the_model_and_learns_nothing_by_the_posterior(name):
    """By Fisher's identity its gradient is that of -log p(x), though the posterior is off."""
    front = ElementwiseAffine((10,))
    flow, x = Flow(Chain([front, OFF.flow().transform]), OFF.flow().base), OFF.rows(200) + 1.0
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(value(flow, name, x))
    found = tape.gradient(loss, front.shift.value).numpy()
    expected = np.linalg.solve(OFF.truth().cov, (x - OFF.mean).T).mean(axis=1)
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert np.abs(expected).max() > 0.5


def test_weights_that_differ_by_hundreds_of_nats_leave_finite_gradients():
    far = LinearGaussian(shift=(30.0, -30.0, 20.0), widen=3.0)
    for name in ("chi", "chi(n=9)", "rws(sleep=0.5)"):
        for side in gradients(far.flow(), name, far.rows(50), 0):
            assert np.isfinite(side).all() and np.abs(side).max() > 0.0
