"""What is saved here gives the same numbers in a fresh process: one process for all transforms and flows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from flowzoo import bijectors, flows
from tests import cases

_FRESH = """
import sys
import keras, numpy as np, tensorflow as tf
import flowzoo.flows
from pathlib import Path
from tests import cases
folder, results = Path(sys.argv[1]), {}
for name, case in cases.TRANSFORMS.items():
    model = flowzoo.flows.Flow(case.build("float32", "float32"))
    model.load_weights(folder / f"transform-{name}.weights.h5")
    results[f"transform-{name}"] = model.transform.encode(*cases.transform_data(name))[0]
for name, (family, config) in cases.FLOWS.items():
    x, condition = cases.flow_data(name)
    condition = None if condition is None else tf.constant(condition)
    fresh = flowzoo.flows.create(family, **{**config, "seed": 99})
    fresh.load_weights(folder / f"{name}.weights.h5")
    loaded = keras.saving.load_model(folder / f"{name}.keras")
    for kind, model in (("weights", fresh), ("keras", loaded)):
        results[f"{name}/{kind}"] = model.raw.log_prob(tf.constant(x), condition, model.raw.as_seed(0), 1)
        assert int(model.adapted) == 1
    assert loaded.get_config() == cases.flow(name).get_config() | {"name": loaded.name}
np.savez(folder / "results.npz", **results)
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, fresh_process):
    """What a fresh process computes from the files written here."""
    folder = tmp_path_factory.mktemp("saved")
    for name in cases.TRANSFORMS:
        flows.Flow(cases.new_transform(name)).save_weights(folder / f"transform-{name}.weights.h5")
    for name in cases.FLOWS:
        model = cases.new_flow(name)
        model.adapted.assign(1)
        model.save_weights(folder / f"{name}.weights.h5")
        model.save(folder / f"{name}.keras")
    fresh_process(_FRESH, folder)
    return np.load(folder / "results.npz")


@pytest.mark.parametrize("name", cases.TRANSFORMS)
def test_transform_comes_back(name, fresh):
    expected = cases.transform(name).encode(*cases.transform_data(name))[0]
    np.testing.assert_allclose(fresh[f"transform-{name}"], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", cases.FLOWS)
@pytest.mark.parametrize("kind", ["weights", "keras"])
def test_flow_comes_back(name, kind, fresh):
    model, (x, condition) = cases.flow(name), cases.flow_data(name)
    condition = None if condition is None else tf.constant(condition)
    expected = model.raw.log_prob(tf.constant(x), condition, model.raw.as_seed(0), 1)
    np.testing.assert_allclose(fresh[f"{name}/{kind}"], expected, rtol=1e-5, atol=1e-5)


def test_a_loaded_flow_is_not_adapted_again(tmp_path):
    model, x = cases.new_flow("realnvp"), cases.flow_data("realnvp")[0]
    model.adapt(x)
    model.save(tmp_path / "flow.keras")
    with pytest.raises(ValueError, match="adapted already"):
        keras.saving.load_model(tmp_path / "flow.keras").adapt(x)


def test_a_compiled_flow_comes_back_with_its_optimizer(tmp_path):
    model, x = cases.new_flow("realnvp"), cases.flow_data("realnvp", 16)[0]
    model.fit(x, epochs=2, verbose=0)
    model.save(tmp_path / "flow.keras")
    again = keras.saving.load_model(tmp_path / "flow.keras")
    assert int(again.optimizer.iterations) == 2
    for one, other in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    first, second = (flow.fit(x, epochs=2, shuffle=False, verbose=0).history["loss"] for flow in (model, again))
    np.testing.assert_allclose(first, second, rtol=1e-5)


def test_a_flow_of_own_parts_saves_its_weights_only(tmp_path):
    model = flows.Flow(bijectors.ActNorm((2,)))
    with pytest.raises(ValueError, match=r"made of your own parts.*save_weights\('name.weights.h5'\)"):
        model.save(tmp_path / "flow.keras")


@pytest.mark.parametrize("name", ["m.h5", "m.hdf5"])
def test_keras_function_writes_no_hdf5(name, tmp_path):
    model = cases.flow("maf")
    with pytest.raises(ValueError, match=r"must be saved to a name that ends in \.keras, got HDF5"):
        keras.saving.save_model(model, tmp_path / name)
    keras.saving.save_model(model, tmp_path / "m.keras")
    x = cases.flow_data("maf")[0]
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "m.keras").score(x), model.score(x))
