"""The ten tests that `.ci/run` repeats on each other Python: numbers, training, files, export, command, publish_hub."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import flowzoo
from flowzoo.cli.main import OK, main
from flowzoo.core.files import sha256
from flowzoo.hub import mirrors, store
from flowzoo.hub.presets import read_preset
from flowzoo.zoo import publish_hub

pytestmark = pytest.mark.interpreters

NUMBERS = {  # mean log-likelihood in nats of `rows`, as Python 3.11 gives it
    "ffjord-moons": -2.629071,
    "glow-fashion-mnist": -1618.1001,
    "maf-mog-rezende-u3": -5.623347,
}


def rows(preset):
    """Eight rows of data for a preset: test images, or points of the unit circle."""
    if preset == "glow-fashion-mnist":
        return flowzoo.data.fixture("fashion_mnist")[0][:8]
    angle = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype("float32")


@pytest.fixture(scope="module")
def trained():
    """A small flow after a few steps, and its data."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(256, 2)) @ [[1, 0.8], [0, 0.3]] + 2).astype("float32")
    flow = flowzoo.create("realnvp", event_shape=(2,), depth=2, hidden=8)
    flow.adapt(x)
    flow.compile(keras.optimizers.Adam(0.01))
    history = flow.fit(x, batch_size=64, epochs=4, verbose=0).history["loss"]
    return flow, x, history


def test_importing_needs_no_tensorflow(fresh_process):
    code = "import sys, flowzoo; print(flowzoo.__version__, 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    assert fresh_process(code).split() == [flowzoo.__version__, "False", "False"]


@pytest.mark.parametrize("preset", NUMBERS)
def test_presets_score_the_same_numbers(preset):
    value = float(np.mean(flowzoo.load(preset).log_prob(rows(preset), seed=0)))
    assert value == pytest.approx(NUMBERS[preset], rel=1e-5)


def test_fit_lowers_the_loss(trained):
    _, _, losses = trained
    assert losses[-1] < losses[0] - 0.1


def test_a_keras_file_comes_back_to_the_last_bit(trained, tmp_path):
    flow, x, _ = trained
    flow.save(tmp_path / "flow.keras")
    again = keras.saving.load_model(tmp_path / "flow.keras")
    np.testing.assert_array_equal(again.log_prob(x), flow.log_prob(x))
    np.testing.assert_array_equal(again.sample(4, seed=0), flow.sample(4, seed=0))


def test_an_export_gives_what_python_gives(trained, tmp_path):
    flow, x, _ = trained
    flow.export(tmp_path / "flow" / "1")
    served = tf.saved_model.load(str(tmp_path / "flow" / "1")).signatures["log_prob"](x=tf.constant(x, flow.data_dtype))
    np.testing.assert_allclose(served["log_prob"], flow.log_prob(x), rtol=1e-5, atol=1e-5)


def test_the_view_of_tensorflow_probability_agrees(trained):
    flow, x, _ = trained
    np.testing.assert_allclose(flow.distribution.log_prob(x), flow.log_prob(x), rtol=1e-5, atol=1e-5)


def test_the_command_scores_a_table(tmp_path, capsys):
    header = "x,y\n" + "".join(f"{one},{other}\n" for one, other in rows("ffjord-moons").tolist())
    (tmp_path / "rows.csv").write_text(header)
    assert main(["score", "maf-mog-rezende-u3", str(tmp_path / "rows.csv"), "--json"]) == OK
    assert json.loads(capsys.readouterr().out)["examples"] == 8


def test_a_hub_gives_the_files_of_a_preset(tmp_path, monkeypatch):
    name = "planar-rezende-u1"
    publish_hub._write([name], tmp_path / "hub")
    monkeypatch.setenv("FLOWZOO_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(mirrors, "_chosen", ((tmp_path / "hub").as_uri(),))
    preset = read_preset(name)
    for place in ("INSTALLED", "CHECKOUT"):
        monkeypatch.setattr(store, place, tmp_path / place)
    path = store.checked_file(preset, store.folder(name))
    assert path.is_relative_to(tmp_path / "cache") and sha256(path) == preset.files[store.WEIGHTS]["sha256"]
