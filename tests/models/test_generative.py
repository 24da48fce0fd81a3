"""Files hold weights only and are whole or not there; copies by pickle and deepcopy compute as the flow does."""

import copy
import json
import math
import pickle
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from flowzoo import bijectors, flows
from flowzoo.core.errors import CheckpointError, NonFiniteError
from flowzoo.core.space import Condition, Space
from flowzoo.models.generative import GenerativeModel
from flowzoo.models.intake import Intake
from flowzoo.models.layers import frozen_layers
from tests import cases

X = cases.flow_data("realnvp", 16)[0]


def test_weight_files_hold_weights_only(tmp_path):
    own = flows.Flow(bijectors.Chain([bijectors.ActNorm((2,))]))
    for name, model in (("family", cases.new_flow("realnvp")), ("own", own)):
        path = tmp_path / f"{name}.weights.h5"
        model.save_weights(path)
        before = path.read_bytes()
        model.compile("adam")
        model.optimizer.build(model.trainable_variables)
        model.save_weights(path)
        assert path.read_bytes() == before
        with h5py.File(path) as file:
            assert "optimizer" not in file
        weights = model.get_weights()
        model.set_weights([np.zeros_like(weight) for weight in weights])
        model.load_weights(path)
        assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))
        with pytest.raises(FileExistsError, match="overwrite=True"):
            model.save_weights(path, overwrite=False)
    with pytest.raises(ValueError, match=r"must end in .weights.h5.*got .*name.h5"):
        own.save_weights(tmp_path / "name.h5")
    assert not list(tmp_path.glob(".*"))


def test_a_name_that_keras_could_not_read_is_refused(tmp_path):
    for name in ("m.h5", "m.H5", "m.hdf5", "m.KERAS", "m"):
        with pytest.raises(ValueError, match=rf"must end in .keras, got .*{name}'"):
            cases.flow("realnvp").save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_keras_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path, model = tmp_path / "flow.keras", cases.flow("realnvp")
    model.save(path)
    before = path.read_bytes()

    def torn(model, path, **options):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", torn)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        model.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["flow.keras"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_keep_the_switches(copied):
    model = cases.new_flow("realnvp")
    model.backprop, model.accumulate, model.xla, model.noise_seed = "remat", 2, True, 7
    again = copied(model)
    assert (again.backprop, again.accumulate, again.xla, again.noise_seed) == ("remat", 2, True, 7)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights(), strict=True))
    assert copied(cases.flow("realnvp")).backprop == "store"
    assert type(model).from_config(model.get_config()).backprop == "store"


def test_frozen_layers_come_back(tmp_path):
    model = cases.new_flow("glow")
    multiscale = model.transform.transforms[2]
    multiscale.levels[0].trainable = False
    multiscale.levels[0].transforms[1].trainable = True  # within a frozen one
    model.trainable_weights[-1].trainable = False  # alone
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "flow.keras")
    again = keras.models.load_model(tmp_path / "flow.keras")
    assert frozen_layers(again) == frozen_layers(model) != []
    assert [w.trainable for w in again.weights] == [w.trainable for w in model.weights]
    assert [w.shape for w in again.trainable_weights] == [w.shape for w in model.trainable_weights]
    assert len(again.trainable_weights) < len(cases.flow("glow").trainable_weights)
    assert len(again.optimizer.variables) == len(model.optimizer.variables)


@pytest.mark.parametrize("optimizer", ["adam", keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())])
def test_slots_come_back_whatever_was_frozen_when(tmp_path, optimizer):
    model = cases.new_flow("realnvp")
    model.compile(optimizer)
    for step in ("not built", "built", "frozen after that", "a weight, too"):
        if step == "built":
            model.optimizer.build(model.trainable_variables)
            for i, slot in enumerate(model.optimizer.variables):
                slot.assign(i * np.ones_like(slot))
        model.transform.transforms[1].trainable = step != "frozen after that"
        model.trainable_weights[0].trainable = step != "a weight, too"
        model.save(tmp_path / "flow.keras")
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras': "Skipping variable loading"
            again = keras.models.load_model(tmp_path / "flow.keras")
        for one, other in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(one, other)
        assert frozen_layers(again) == frozen_layers(model)
    assert np.isfinite(again.fit(X, verbose=0).history["loss"]).all()


def test_a_configuration_is_what_the_constructor_takes(tmp_path):
    model = cases.new_flow("realnvp")
    model.intake.columns = ["a", "b"]
    model.transform.transforms[1].trainable = False
    assert type(model)(**model.get_config()).get_config() == model.get_config()
    path, old = tmp_path / "flow.keras", tmp_path / "old.keras"
    model.save(path)
    with zipfile.ZipFile(path) as new, zipfile.ZipFile(old, "w") as file:  # as it was before there were assets
        config = json.loads(new.read("config.json"))
        config["config"] |= {"columns": model.columns, "frozen": frozen_layers(model)}
        file.writestr("config.json", json.dumps(config))
        for name in ("metadata.json", "model.weights.h5"):
            file.writestr(name, new.read(name))
    for again in (keras.models.load_model(path), keras.models.load_model(old), copy.deepcopy(model)):
        assert again.columns == ["a", "b"] and again.condition_columns is None
        assert frozen_layers(again) == frozen_layers(model) != []


@pytest.mark.parametrize("name", ["glow", "maf", "nsf-coupling-condition", "ffjord"])
def test_nothing_is_frozen_in_a_new_flow(name):
    assert cases.flow(name).get_config() == cases.flow(name).options.config() | {"name": cases.flow(name).name}


def test_a_training_resumes_from_keras_backup_with_its_optimizer(tmp_path):
    """`save_weights` leaves slots out, but not for the callback that resumes with them."""
    x = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    found = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: found.append((epoch, [np.array(v) for v in model.optimizer.variables]))
    )
    model = flows.create("realnvp", event_shape=(2,), depth=1, hidden=4)
    model.adapt(x)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, epochs=4, verbose=0, callbacks=[backup, Stop()])
    expected, saved = [np.array(value) for value in model.optimizer.variables], [np.array(w) for w in model.weights]

    model = flows.create("realnvp", event_shape=(2,), depth=1, hidden=4, seed=1)
    model.adapted.assign(1)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)
    model.fit(x, epochs=3, verbose=0, callbacks=[backup, note])
    epoch, optimizer = found[0]
    assert epoch == 2 and len(found) == 1
    for one, other in zip(optimizer, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((one != other).any() for one, other in zip(saved, map(np.array, model.weights), strict=True))
    model.save_weights(tmp_path / "alone.weights.h5")  # afterwards, weights only
    with h5py.File(tmp_path / "alone.weights.h5") as file:
        assert "optimizer" not in file


def test_the_weights_of_a_keras_file_are_checked_like_others(tmp_path):
    deep, shallow = (cases.new_flow("realnvp", depth=depth) for depth in (2, 1))
    deep.save(tmp_path / "deep.keras")
    before = [np.array(weight) for weight in shallow.weights]
    with pytest.raises(CheckpointError, match=r"deep\.keras"):
        shallow.load_weights(tmp_path / "deep.keras")
    for one, other in zip(before, shallow.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    again = cases.new_flow("realnvp", depth=2, seed=9)
    again.load_weights(tmp_path / "deep.keras")
    np.testing.assert_array_equal(again.weights[1], deep.weights[1])
    (tmp_path / "cut.keras").write_bytes((tmp_path / "deep.keras").read_bytes()[:500])
    with pytest.raises(CheckpointError, match=r"cut\.keras: expected a `\.keras` file that holds weights"):
        again.load_weights(tmp_path / "cut.keras")


@pytest.mark.parametrize("place", ["weights", "slots"])
def test_numbers_that_are_not_finite_are_refused_whoever_loads_them(place, tmp_path):
    model = cases.new_flow("realnvp")
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)
    bad = {"weights": model.weights, "slots": model.optimizer.variables}[place][-1]
    bad.assign(np.full(bad.shape, np.nan))
    model.save(tmp_path / "bad.keras")
    keras.saving.save_weights(model, tmp_path / "bad.weights.h5")
    into = cases.new_flow("realnvp", seed=9)
    into.compile("adam")
    into.optimizer.build(into.trainable_variables)
    before = [np.array(value) for value in (*into.weights, *into.optimizer.variables)]
    sentence = "expected finite numbers, got NaN or infinity in " + {"weights": "layers/", "slots": "optimizer/"}[place]
    with pytest.raises(ValueError, match=sentence):
        keras.models.load_model(tmp_path / "bad.keras")
    for name in ("bad.keras", "bad.weights.h5"):
        with pytest.raises(CheckpointError, match=f"{name}: {sentence}"):
            into.load_weights(tmp_path / name, skip_mismatch=True)
        with pytest.raises(ValueError, match=sentence):
            keras.saving.load_weights(into, tmp_path / name)
    for one, other in zip(before, (*into.weights, *into.optimizer.variables), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_that_is_not_there_is_said_so_in_plain_words(tmp_path):
    for name in ("m.weights.h5", "m.keras"):
        for skip in (False, True):
            with pytest.raises(
                CheckpointError, match=rf"{name}: no such file\. Is the path right\? The working folder"
            ):
                cases.flow("realnvp").load_weights(tmp_path / name, skip_mismatch=skip)


def test_what_would_write_without_care_is_refused(tmp_path):
    model = cases.flow("realnvp")
    with pytest.raises(ValueError, match="`zipped` must be True or None"):
        model.save(tmp_path / "folder", zipped=False)
    with pytest.raises(ValueError, match="`max_shard_size` must be None"):
        model.save_weights(tmp_path / "m.weights.json", max_shard_size=0.001)
    (tmp_path / "m.keras").touch()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save(tmp_path / "m.keras", overwrite=False)


class Mean(GenerativeModel):
    """A Gaussian of unit variance: a model that is no flow, of what the contract asks for and no more."""

    kind, offers = "exact", frozenset({"sample"})

    def __init__(self):
        super().__init__()
        self.x_space, self.condition, self.dims = Space((3,)), Condition(), 3
        self.intake = Intake(self.x_space, self.condition, self.compute_dtype, self._policies)
        self.mean = self.add_weight(shape=(3,), name="mean")
        self.built = True

    def call(self, x, condition=None, training=None):
        return -self.objective(x)

    def objective(self, x, condition=None, context=None):
        return 0.5 * (tf.reduce_sum((x - self.mean) ** 2, axis=-1) + self.dims * math.log(2 * math.pi))

    def sample(self, n, condition=None, temperature=1.0, seed=None, batch_size=64):
        return self.mean + temperature * tf.random.stateless_normal([n, self.dims], [0, seed or 0])


def test_a_model_need_not_be_a_flow(tmp_path):
    x = np.random.default_rng(0).normal([1.0, 2.0, 3.0], size=(256, 3)).astype("float32")
    keras.utils.set_random_seed(0)
    model = Mean()
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(x, batch_size=256, epochs=160, verbose=0)
    np.testing.assert_allclose(model.mean, x.mean(axis=0), atol=0.05)
    log_prob = model.predict(x, verbose=0)
    np.testing.assert_allclose(log_prob, stats.norm(model.mean, 1).logpdf(x).sum(axis=1), rtol=1e-5)
    loss = model.evaluate(x, verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(loss, -log_prob.mean() / model.dims, rtol=1e-5)
    model.save_weights(tmp_path / "mean.weights.h5")
    again = Mean()
    again.load_weights(tmp_path / "mean.weights.h5")
    np.testing.assert_array_equal(again.mean, model.mean)
    x[5, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"Step 161 was stopped [^:]*: `x` holds NaN .* rows 5 "):
        model.fit(tf.data.Dataset.from_tensor_slices(x).batch(32), verbose=0)
    np.testing.assert_array_equal(again.mean, model.mean)
