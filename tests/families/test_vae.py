"""What a VAE offers beside a flow: both sides of its stochastic layer, reconstructions, exports of them."""

import numpy as np
import pytest
import tensorflow as tf

import flowzoo
from flowzoo.families.sentences import description
from tests import cases


def test_posterior_likelihood_and_reconstruction_belong_together():
    flow, (x, _) = cases.flow("vae"), cases.flow_data("vae")
    assert flow.kind == "lower_bound" and {"posterior", "likelihood", "reconstruct"} <= flow.offers
    z, log_det = flow.encode(x, seed=3)
    posterior, likelihood = flow.posterior(x), flow.likelihood(z)
    assert posterior.batch_shape == likelihood.batch_shape == (6,)
    assert posterior.event_shape == flow.latent_shape and likelihood.event_shape == flow.event_shape
    expected = likelihood.log_prob(x.astype("float32")) - posterior.log_prob(z)
    np.testing.assert_allclose(log_det, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(flow.reconstruct(x, seed=3), likelihood.mean(), rtol=1e-5)


def test_draws_of_z_follow_the_posterior():
    flow, (x, _) = cases.flow("vae"), cases.flow_data("vae", 1)
    z = np.concatenate([flow.encode(x, seed=seed)[0] for seed in range(400)])
    posterior = flow.posterior(x)
    np.testing.assert_allclose(z.mean(axis=0), posterior.mean()[0], atol=4.5 * posterior.stddev().numpy().max() / 20)


def test_decoding_is_seeded_and_gives_native_values():
    flow, (x, _) = cases.flow("vae"), cases.flow_data("vae")
    z = flow.encode(x)[0]
    one, same, other = (flow.decode(z, seed=seed)[0].numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any() and one.dtype == np.uint8 and set(np.unique(one)) <= {0, 1}


def test_reconstructions_come_in_the_units_of_the_data():
    x = np.random.default_rng(0).normal(size=(64, 3)) * [1.0, 1e3, 1e6] + 1e7
    flow = flowzoo.create("vae", event_shape=(3,), latent=2, hidden=8, seed=1)
    flow.adapt(x)
    again = flow.reconstruct(x).numpy()
    assert again.dtype == np.float64 and (np.abs(again - x.mean(axis=0)) < 4.0 * x.std(axis=0)).all()
    np.testing.assert_allclose(flow.posterior(x).mean(), np.zeros((64, 2)), atol=1e-6)  # as its head starts


def test_the_export_reconstructs(tmp_path):
    flow, (x, _) = cases.flow("vae"), cases.flow_data("vae")
    served = tf.saved_model.load(str(flow.export(tmp_path / "1"))).signatures
    np.testing.assert_allclose(served["posterior"](x=x)["mean"], flow.posterior(x).mean(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(flow.posterior_mean(x), flow.posterior(x).mean(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(served["reconstruct"](x=x)["mean"], flow.reconstruct(x), rtol=1e-5, atol=1e-6)
    z = served["encode"](x=x)["z"]
    np.testing.assert_allclose(z, flow.encode(x)[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(served["decode"](z=z)["x"], flow.decode(z)[0])
    assert "reconstruct" not in tf.saved_model.load(str(cases.flow("maf").export(tmp_path / "2"))).signatures


def test_nothing_is_dequantized():
    flow, (x, _) = cases.flow("vae"), cases.flow_data("vae")
    assert "dequantize" not in description(flow.options)
    with pytest.raises(TypeError, match=r"must hold integers 0 ... 1 \(the model takes them as they are\), got dtype"):
        flow.log_prob(x.astype("float32"))


def test_wrong_values_are_named():
    flow = cases.flow("vae")
    with pytest.raises(ValueError, match="`z` must have shape"):
        flow.likelihood(np.zeros((2, 4), "float32"))
    with pytest.raises(ValueError, match="`x` must"):
        flow.reconstruct(np.full((1, 6, 6, 1), 2, "uint8"))
    with pytest.raises(ValueError, match="decode does not give back"):
        _ = flow.bijection
    with pytest.raises(ValueError, match="`bits` must be at most 1, got 8"):
        flowzoo.create("vae", event_shape=(4, 4, 1), bits=8)


def test_a_posterior_with_a_flow_starts_without_and_learns():
    options = {"event_shape": (3,), "latent": 2, "hidden": 8, "blocks": 1, "seed": 1}
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    plain = flowzoo.create("vae", **options).posterior(x)
    for family, own in (
        ("planar", {}),
        ("iaf", {"depth": 1}),
        ("sylvester", {"depth": 1}),
        ("nsf-coupling", {"depth": 1}),
    ):
        flow = flowzoo.create("vae", **options, posterior={"family": family, **own})
        z = flow.encode(x)[0]
        np.testing.assert_allclose(flow.posterior(x).log_prob(z), plain.log_prob(z), rtol=1e-4, atol=1e-5)
        flow.fit(x, epochs=2, verbose=0)
        moved = flow.posterior(x)
        assert np.abs(moved.log_prob(z) - plain.log_prob(z)).max() > 1e-4
        assert moved.mean().shape == (64, 2) and f"a flow ({family})" in description(flow.options)


def test_wrong_flows_of_a_posterior_are_named():
    def refused(error, match, posterior):
        with pytest.raises(error, match=match):
            flowzoo.create("vae", event_shape=(3,), posterior=posterior)

    refused(ValueError, "`posterior` must be one of .*, got 'sylvestre'. Did you mean 'sylvester'?", "sylvestre")
    refused(
        TypeError, "`posterior`: 'planar' takes no 'layers'. Did you mean 'depth'?", {"family": "planar", "layers": 3}
    )
    refused(ValueError, "`posterior` must leave `seed` to the model, got 3", {"family": "planar", "seed": 3})
    refused(ValueError, "`posterior` must be 'normal', a family of vectors, or a dict of `family`", {"depth": 3})
    refused(TypeError, "`transform` must be an exact bijection, got .* of kind 'lower_bound'", "vae")
    flow = flowzoo.create("vae", event_shape=(3,), posterior="planar")
    flow.training_objective = "dreg(draws=2)"
    with pytest.raises(ValueError, match="by 'iwae' or 'rws', not by 'dreg'"):
        flow.fit(np.zeros((8, 3), "float32"), verbose=0)


def test_the_prior_may_be_a_flow():
    options = {"event_shape": (3,), "latent": 2, "hidden": 8, "blocks": 1, "seed": 1, "standardize": False}
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    plain = flowzoo.create("vae", **options)
    flow = flowzoo.create("vae", **options, base={"family": "realnvp", "depth": 2}, classes=2)
    label = np.arange(64) % 2
    assert "The base is `realnvp`" in description(flow.options) and flow.base.trainable_weights
    flow = cases.randomized(flow)
    z, log_det = flow.encode(x, label)
    u, inner = flow.base.transform.encode(z, flow.raw.features(tf.constant(label)))
    expected = inner + plain.base.log_prob(u) + log_det  # the base is a density by the change of variables
    np.testing.assert_allclose(flow.log_prob(x, label), expected, rtol=1e-4, atol=1e-4)
    assert np.abs(flow.log_prob(x, label) - flow.log_prob(x, 1 - label)).max() > 1e-3
    assert flow.sample(4, label[:4]).shape == (4, 3)
    with pytest.raises(ValueError, match=r"`base` must be one of .*, got 'studnet'. Did you mean 'student'?"):
        flowzoo.create("vae", base="studnet")
