"""Every flow of tests/cases.py under Keras: fit, evaluate, predict, adapt; also on two devices."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from flowzoo import bijectors, flows
from flowzoo.bases import StandardNormal
from flowzoo.conditioners import MLP
from flowzoo.models.loss import BitsPerDim, Nats, NegativeLogLikelihood
from tests import cases

EVERY = list(cases.FLOWS)


def _affine(**limits):
    return bijectors.AffineCoupling((2,), bijectors.FeatureMask([1, 0]), MLP(1, 2, [3]), **limits)


def _data(name, rows=32):
    """Data that is easy to learn, as a batched data set."""
    model, condition = cases.flow(name), cases.flow_data(name, rows)[1]
    if model.bits:
        x = np.random.default_rng(0).integers(3, 7, (rows, *model.event_shape), dtype=np.uint8)
        x = np.minimum(x, model.x_space.values - 1)
    else:
        x = cases.flow_data(name, rows)[0] * 0.1 + 2.0
    return x, condition


@pytest.mark.parametrize("name", EVERY)
def test_fit_lowers_the_loss(name):
    model, (x, condition) = cases.new_flow(name), _data(name)
    if name != "ffjord-augmented":  # adapted to normal data, it is as good as the noise of its bound lets see
        model.adapt(x, condition)
    dataset = tf.data.Dataset.from_tensor_slices(x if condition is None else (x, condition)).batch(16)
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    before = model.evaluate(dataset, verbose=0, return_dict=True)["loss"]  # with the same noise before and after
    epochs = {"ffjord-image": 60, "waveflow": 26}.get(name, 6)  # the first steps of these lead up before they lead down
    history = model.fit(dataset, epochs=epochs, verbose=0).history
    assert np.isfinite(history["loss"]).all() and model.evaluate(dataset, verbose=0, return_dict=True)["loss"] < before
    if model.bits:  # bits/dim of continuous data would depend on its unit
        stated, factor = ("nats", model.dims) if model.bits == 1 else ("bits_per_dim", 1.0 / np.log(2.0))
        assert {"bits_per_dim", "nats"} & set(history) == {stated}
        np.testing.assert_allclose(history[stated], np.array(history["loss"]) * factor, rtol=1e-4)


def test_takes_arrays_pairs_and_data_sets():
    model, (x, condition) = cases.new_flow("realnvp-condition"), _data("realnvp-condition")
    pairs = tf.data.Dataset.from_tensor_slices((x, condition)).batch(8)
    expected = -model.log_prob(x, condition).numpy() / model.dims
    for arguments in ((pairs,), (x, condition)):
        assert np.isclose(model.evaluate(*arguments, verbose=0, return_dict=True)["loss"], expected.mean(), rtol=1e-4)
        assert np.isfinite(model.fit(*arguments, verbose=0).history["loss"]).all()
        model.set_weights(cases.flow("realnvp-condition").get_weights())
    np.testing.assert_allclose(model.predict(pairs, verbose=0), -expected * model.dims, rtol=1e-4)

    plain, x = cases.new_flow("realnvp"), _data("realnvp")[0]
    for data in (x, tf.data.Dataset.from_tensor_slices(x).batch(8)):
        assert np.isfinite(plain.fit(data, verbose=0).history["loss"]).all()
    weights = np.r_[np.ones(16), np.zeros(16)].astype("float32")
    x, condition = _data("realnvp-condition")
    assert np.isfinite(model.evaluate(x, condition, sample_weight=weights, verbose=0))


@pytest.mark.parametrize("name", EVERY)
def test_keras_sees_what_log_prob_sees(name):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    expected = model.log_prob(x, condition).numpy()
    np.testing.assert_allclose(model(x, condition), expected, rtol=1e-5, atol=1e-4)
    data = tf.data.Dataset.from_tensors(x if condition is None else (x, condition))
    np.testing.assert_allclose(cases.flow(name).predict(data, verbose=0), expected, rtol=1e-5, atol=1e-4)


def test_keras_refuses_what_log_prob_refuses():
    model, x = cases.new_flow("glow"), cases.flow_data("glow", 8)[0]
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(TypeError, match="native pixel values"):
            call((x / 255.0).astype("float32"), verbose=0)
    plain, x = cases.new_flow("realnvp"), cases.flow_data("realnvp", 8)[0].copy()
    x[3] = np.nan
    with pytest.raises(ValueError, match="first in row 3"):
        plain.fit(x, verbose=0)
    with pytest.raises(ValueError, match="examples to adapt"):
        plain.adapt(x[:0])


def test_a_flow_hides_no_name_of_keras_unawares():
    own = {name for name in vars(flows.Flow) if not name.startswith("_") and hasattr(keras.Model, name)}
    assert own <= {"call", "get_config", "export"}


def test_xla_training_equals_plain_training():
    losses, x = [], _data("realnvp")[0]
    for xla in (False, True):
        model = cases.new_flow("realnvp")
        model.xla = xla
        losses.append(model.fit(x, epochs=2, batch_size=16, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_noise_of_training_is_new_at_each_step_and_that_of_evaluation_fixed():
    model, x = cases.new_flow("realnvp-image"), tf.constant(_data("realnvp-image", 4)[0])
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    one = model(x, training=True)
    np.testing.assert_array_equal(model(x, training=True), one)
    model.optimizer.iterations.assign_add(1)
    assert (model(x, training=True).numpy() != one.numpy()).all()
    model.noise_seed = 9
    assert (model(x, training=True).numpy() != one.numpy()).all()
    np.testing.assert_array_equal(model(x), model(x, training=False))
    np.testing.assert_allclose(model(x), model.log_prob(x), rtol=1e-5)


@pytest.mark.parametrize("name", ["realnvp", "glow-classes"])
def test_adapt_happens_once(name):
    model, (x, condition) = cases.new_flow(name), _data(name)
    assert int(model.adapted) == 0
    before = model.log_prob(x, condition).numpy().mean()
    model.adapt(x, condition)
    assert int(model.adapted) == 1 and model.log_prob(x, condition).numpy().mean() > before
    if name == "realnvp":
        z = model.transform.transforms[1].encode(x)[0].numpy()
        np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=1e-5)
        np.testing.assert_allclose(z.var(axis=0), 1.0, rtol=1e-3)
    with pytest.raises(ValueError, match=r"adapted already.*force=True"):
        model.adapt(x, condition)
    model.adapt(x, condition, force=True)


def test_compile_refuses_jit_compile():
    with pytest.raises(ValueError, match=r"set `flow\.xla = True`"):
        cases.new_flow("realnvp").compile(jit_compile=True)


def _own(_, log_prob):
    return -log_prob


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "mse"}, "`loss` must be a function of log p.*, got 'mse'"),
        ({"loss": ["mse"]}, "`loss` .* got 'mse'"),
        ({"loss": keras.losses.mean_squared_error}, "`loss` .* got mean_squared_error"),
        (
            {"loss": keras.losses.MeanSquaredError()},
            "`loss` .* got MeanSquaredError, .* Leave it out for",
        ),
        ({"metrics": ["mae"]}, "`metrics` .* got 'mae'"),
        ({"weighted_metrics": [keras.metrics.MeanAbsoluteError()]}, "`weighted_metrics` .* got MeanAbsoluteError"),
    ],
)
def test_compile_refuses_what_compares_with_a_target(options, message):
    flow = flows.create("realnvp", event_shape=(2,), depth=1, hidden=4)
    with pytest.raises(ValueError, match=message):
        flow.compile("adam", **options)
    assert not flow.compiled


def test_compile_takes_losses_and_metrics_of_your_own():
    flow = flows.create("realnvp", event_shape=(2,), depth=1, hidden=4)
    for loss in (_own, NegativeLogLikelihood(2), None):
        flow.compile("adam", loss, metrics=[_own], weighted_metrics=[BitsPerDim(2)])


def test_loss_and_metric_round_trip():
    for kind in (NegativeLogLikelihood, BitsPerDim):
        again = kind.from_config(kind(dims=7).get_config())
        assert again.dims == 7 and again.name == kind().name
    assert Nats.from_config(Nats().get_config()).name == "nats"


def test_create_names_near_misses():
    with pytest.raises(ValueError, match="Did you mean 'realnvp'"):
        flows.create("realnpv")
    with pytest.raises(TypeError):
        flows.create("realnvp", no_such_option=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: flows.RealNVP((1,)), "at least 2 features .* For one feature take '"),
        (lambda: flows.RealNVP((5, 4, 1), bits=8), r"sides divisible by 2\^levels.*got \(5, 4, 1\)"),
        (
            lambda: flows.RealNVP((4, 4, 1), bits=8, dtype="float64"),
            "`dtype` must be 'float32' for integers, got 'float64'",
        ),
        (lambda: flows.RealNVP((2,), noise_depth=1), "`noise_depth` is for images, leave it out for vectors; got 1"),
        (lambda: flows.RealNVP((2,), position=True), "`position` is for images, leave it out for vectors; got True"),
        (lambda: _affine(bound=float("nan")), "`bound` must be a finite number > 0, got nan"),
        (lambda: _affine(bound=float("inf")), "`bound` must be a finite number > 0, got inf"),
        (lambda: _affine(growth=float("nan")), "`growth` must be a finite number > 0, got nan"),
        (lambda: _affine(growth=float("inf")), "`growth` must be a finite number > 0, got inf"),
        (lambda: flows.Glow((6, 6, 1)), r"sides divisible by 2\^levels .* got \(6, 6, 1\), bits 8, levels 3"),
        (lambda: flows.Glow((4, 4, 1), levels=1, coupling="spline"), r"must be 'additive' or 'affine', got 'spline'"),
        (lambda: flows.MAF((2,), classes=2, condition={"shape": [3]}), "not both"),
        (
            lambda: flows.Flow(bijectors.Reverse((2,)), StandardNormal((3,))),
            r"`base` must have event_shape \(2,\), got \(3,\)",
        ),
    ],
)
def test_bad_configurations_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


_TWO_DEVICES = """
import json
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests import cases
def losses(name, strategy):
    x, condition = cases.flow_data(name, 11)
    with strategy.scope():
        model = cases.new_flow(name)
        model.compile("sgd" if name == "realnvp" else "adam")
    data = tf.data.Dataset.from_tensor_slices(x if condition is None else (x, condition)).batch(8)  # 8 and 3: ragged
    trained = model.fit(data, epochs=2, verbose=0).history["loss"]
    return trained + [model.evaluate(data, verbose=0, return_dict=True)["loss"]]
two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert two.num_replicas_in_sync == 2
with two.scope():
    new = cases.flows.create("realnvp", event_shape=(2,), depth=1, hidden=4)
    new.compile("sgd")
new.fit(cases.flow_data("realnvp", 64)[0], batch_size=32, verbose=0)
assert int(tf.convert_to_tensor(new.adapted)) == 1 and new.transform.transforms[0].shift.numpy().any()
for name in ("realnvp", "realnvp-condition"):
    print("RESULT" + json.dumps([losses(name, tf.distribute.get_strategy()), losses(name, two)]))
"""


def test_two_devices_give_the_loss_of_one(fresh_process):
    lines = [line for line in fresh_process(_TWO_DEVICES).splitlines() if line.startswith("RESULT")]
    assert len(lines) == 2
    for line in lines:
        one, two = json.loads(line.removeprefix("RESULT"))
        np.testing.assert_allclose(one, two, rtol=1e-5)
