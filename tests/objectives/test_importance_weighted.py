"""Gradients of objectives of several draws on probabilistic PCA, training by them, and their names."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.families.vae import VAE
from flowzoo.objectives.registry import check_objective
from tests import cases
from tests.objectives.linear_gaussian import value
from tests.surjections.test_stochastic import model, truth


@pytest.fixture(scope="module")
def x():
    return truth().rvs(2000, random_state=0).astype("float32")


def gradients(flow, name, x, seed):
    weights = flow.transform.posterior.network.trainable_weights, flow.transform.decoder.network.trainable_weights
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(value(flow, name, x, seed))
    flat = tape.gradient(loss, weights)
    return [np.concatenate([np.ravel(part) for part in side]) for side in flat]


def test_doubly_reparametrised_gradients_are_those_of_the_bound_with_less_noise(x):
    """In expectation; for the decoder in each draw."""
    flow, rows = model(shift=0.5), np.repeat(x[:4], 500, axis=0)
    plain, doubly = (
        np.array([gradients(flow, f"{name}(draws=8)", rows, seed) for seed in range(20)], object)
        for name in ("iwae", "dreg")
    )
    for side, tolerance in ((0, None), (1, 1e-4)):
        one, other = np.stack(plain[:, side]), np.stack(doubly[:, side])
        if tolerance:
            np.testing.assert_allclose(other, one, rtol=1e-3, atol=tolerance)
        else:
            error = np.sqrt((one.var(axis=0) + other.var(axis=0)) / len(one)) + 1e-6
            assert (np.abs(one.mean(axis=0) - other.mean(axis=0)) < 5 * error).all()
            assert other.var(axis=0).sum() < 0.7 * one.var(axis=0).sum()


def test_at_the_true_posterior_its_gradient_is_zero(x):
    side = gradients(model(), "dreg", x[:20], 0)[0]
    assert np.abs(side).max() < 1e-4 < np.abs(gradients(model(), "iwae", x[:20], 0)[0]).max()


@pytest.mark.parametrize(
    ("name", "row"),
    [
        *((name, row) for name in ("iwae", "dreg", "renyi(alpha=0.3)") for row in ("vae", "vae-vector")),
        ("chi(n=3, draws=8)", "vae-vector"),
        ("rws(sleep=0.5)", "vae"),
    ],
)
def test_a_vae_is_trained_by_it_also_under_xla(name, row):
    losses = []
    for xla in (False, True):
        flow, (data, _) = cases.new_flow(row), cases.case(row).data(32)
        flow.adapts, flow.xla, flow.training_objective = False, xla, name
        flow.compile("adam")
        losses.append(flow.fit(data, batch_size=32, epochs=3, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    assert losses[0][-1] < losses[0][0]
    assert VAE.from_config(flow.get_config()).training_objective == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("iwea", r"must be one of 'likelihood', .*'iwae\(draws=5\)'.*got 'iwea'"),
        ("iwae(5)", r"must be of the form 'iwae\(draws=5\)', got"),
        ("iwae(alpha=1.0)", r"must be of the form 'iwae\(draws=5\)', got"),
        ("iwae(draws=0)", "`draws` must be"),
        ("iwae(draws=x)", "`draws` must be"),
        ("renyi(alpha=-1)", "`alpha` must be"),
        ("chi(n=1)", "`n` must be a whole number >= 2, got 1"),
        ("chi(n=2.5)", "`n` must be a whole number"),
        ("rws(sleep=1.5)", "`sleep` must be at most 1.0, got 1.5"),
        ("rws(sleep=-0.1)", "`sleep` must be"),
        ("iwae(draws=5", "must be one of"),
        (5, "must be one of"),
    ],
)
def test_wrong_names_are_explained(name, message):
    with pytest.raises(ValueError, match=message):
        check_objective(name, "training_objective")


def test_it_needs_a_stochastic_layer():
    flow = cases.flow("maf")
    with pytest.raises(ValueError, match="ends with its only `Stochastic`, as that of a VAE, got 0 of them"):
        value(flow, "iwae", np.zeros((2, 2), "float32"))
