"""What differs where z lies on a sphere: its norm, what is refused, and a model whose evidence is an integral."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

import flowzoo
from flowzoo.families.sentences import description
from flowzoo.serving.saved_model import export
from flowzoo.serving.warmup import WARMUP
from tests import cases

BINARY = {"event_shape": (6, 6, 1), "bits": 1, "latent": 3, "hidden": 8, "seed": 5}


def data(rows=6):
    return np.random.default_rng(1).integers(0, 2, (rows, 6, 6, 1), dtype="uint8")


@pytest.fixture(scope="module")
def flow():
    return cases.randomized(flowzoo.create("svae", **BINARY))


def test_latents_have_norm_one_and_belong_to_the_posterior(flow):
    x = data()
    z, log_det = flow.encode(x, seed=3)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, atol=1e-6)
    posterior, likelihood = flow.posterior(x), flow.likelihood(z)
    expected = likelihood.log_prob(x.astype("float32")) - posterior.log_prob(z)
    np.testing.assert_allclose(log_det, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(flow.log_prob(x, seed=3), log_det - np.log(4.0 * np.pi), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(flow.reconstruct(x, seed=3), likelihood.mean(), rtol=1e-5)
    draws = np.concatenate([flow.encode(x[:1], seed=seed)[0] for seed in range(400)])
    np.testing.assert_allclose(draws.mean(axis=0), posterior.mean()[0], atol=4.5 / np.sqrt(3 * 400))


def test_the_bound_of_many_draws_is_the_evidence():
    """On the 2-sphere log p(x) = log of the mean of p(x | z) over it, an integral over two angles."""
    flow, x = cases.randomized(flowzoo.create("svae", **BINARY)), data(4)
    head = flow.transform.transforms[0].posterior.network.head
    head.bias.assign_add([0.0, 0.0, 0.0, -3.5])  # so wide a posterior, with k of about 1, misses nothing
    height, weights = special.roots_legendre(40)  # of z_3, which is uniform
    around, radius = 2.0 * np.pi * np.arange(80) / 80, np.sqrt(1.0 - height**2)[:, None]
    z = np.stack([radius * np.cos(around), radius * np.sin(around), np.tile(height[:, None], (1, 80))], axis=-1)
    log_p = flow.likelihood(z.reshape(-1, 3).astype("float32")).log_prob(x.astype("float32")[:, None]).numpy()
    truth = special.logsumexp(log_p + np.log(np.repeat(0.5 * weights, 80) / 80), axis=1)
    np.testing.assert_allclose(flow.score(x, samples=3000), truth, atol=0.1)
    assert (np.mean([flow.score(x, seed=seed) for seed in range(30)], axis=0) < truth).all()


def test_z_off_the_sphere_is_refused(flow, tmp_path):
    x = data()
    z = flow.encode(x)[0].numpy()
    np.testing.assert_array_equal(flow.decode(z * (1.0 + 2e-5))[0].shape, x.shape)
    for method in (flow.decode, flow.likelihood):
        with pytest.raises(ValueError, match=r"`z` must lie on the unit sphere, got a norm of 2 in row 3 \(wrong in 1"):
            method(np.where(np.arange(6)[:, None] == 3, 2.0, 1.0).astype("float32") * z)
    served = tf.saved_model.load(str(flow.export(tmp_path / "1"))).signatures
    np.testing.assert_array_equal(served["decode"](z=z)["x"], flow.decode(z)[0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected `z` of norm 1"):
        served["decode"](z=tf.constant(0.5 * z))


@pytest.mark.serving
def test_the_warm_up_of_its_export_is_not_refused(flow, tmp_path):
    log = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2", reason="needs flowzoo[serving]")
    path = export(flow, tmp_path / "1", name="svae")
    served = tf.saved_model.load(str(path)).signatures
    for record in tf.data.TFRecordDataset(str(path / WARMUP)):
        request = log.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        served[request.model_spec.signature_name](**inputs)


def test_interpolations_go_along_great_circles():
    flow, x = cases.randomized(flowzoo.create("svae", **BINARY)), data()
    head = flow.transform.transforms[0].decoder.network.head
    head.kernel.assign(1e4 * head.kernel)  # so that x is a function of z
    (z0, _), (z1, _) = flow.encode(x), flow.encode(x[::-1])
    path = flow.interpolate(x, x[::-1], steps=3).numpy()
    for i, z in enumerate((z0, tf.math.l2_normalize(z0 + z1, axis=1), z1)):
        assert (path[:, i] == (flow.likelihood(z).mean().numpy() > 0.5)).mean() > 0.99
    assert (path[:, 0] != path[:, 1]).any()


def test_it_trains_also_under_xla():
    losses = []
    for xla in (False, True):
        flow, x = cases.randomized(flowzoo.create("svae", **BINARY)), data(32)
        flow.xla, flow.training_objective = xla, "dreg(draws=5)"
        flow.compile(keras.optimizers.Adam(0.01))
        losses.append(flow.fit(x, batch_size=32, epochs=6, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    assert losses[0][-1] < losses[0][0]


def test_the_networks_mirror_each_other():
    flow = flowzoo.create("svae", event_shape=(28, 28, 1), bits=1, latent=11, hidden=256)
    layer = flow.transform.transforms[0]
    widths = [
        [dense.units for dense in [*side.network.layers, side.network.head]]
        for side in (layer.posterior, layer.decoder)
    ]
    assert widths == [[256, 128, 12], [128, 256, 784]] and "256, 128 units" in description(flow.options)


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="`base` must be 'sphere', got 'normal'"):
        flowzoo.create("svae", base="normal")
    with pytest.raises(ValueError, match="`latent` must be a whole number >= 2, got 1"):
        flowzoo.create("svae", latent=1)
    with pytest.raises(ValueError, match=r"`base` must be one of \[.*'class-conditional'\], got 'sphere'"):
        flowzoo.create("maf", base="sphere")
