"""Where the weights lie in a checkpoint."""

import functools

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from flowzoo import bijectors, surjections
from flowzoo.core.errors import CheckpointError
from flowzoo.core.layout import file_layout
from flowzoo.families import create
from flowzoo.models.flow import Flow
from flowzoo.models.weights import flow_layout, load_simpler, load_weights, save_weights
from tests import cases


def test_paths_are_those_of_the_layers_not_of_the_views():
    layout = flow_layout(create("glow", event_shape=(4, 4, 1), levels=1, depth=1, hidden=4))
    assert {path.split("/")[0] for path in layout} == {"layers", "vars"}  # where Keras puts those of any model


@pytest.mark.parametrize("name", cases.FLOWS)
def test_the_layout_is_that_of_keras_files(name, tmp_path):
    path, flow = tmp_path / "keras.weights.h5", cases.flow(name)
    keras.Model.save_weights(flow, path)
    assert flow_layout(flow) == file_layout(path)


def test_any_flow_saves_weights_only_and_the_same_bytes_each_time(tmp_path):
    def made():
        return Flow(bijectors.Chain([bijectors.ActNorm((2,)), bijectors.InvertibleLinear((2,))]))

    flow, paths = made(), [tmp_path / f"{i}.weights.h5" for i in range(2)]
    flow.adapt(tf.random.normal([8, 2], seed=0))
    save_weights(flow, paths[0])
    before = flow.get_weights()
    flow.compile("adam")
    flow.optimizer.build(flow.trainable_variables)
    save_weights(flow, paths[1])
    assert paths[0].read_bytes() == paths[1].read_bytes() and sorted(tmp_path.iterdir()) == paths
    with h5py.File(paths[1]) as file:
        assert "optimizer" not in file
    again = made()
    load_weights(again, paths[1])
    for got, expected in zip(again.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, expected)
    save_weights(flow, "ram://folder/x.weights.h5")
    with tf.io.gfile.GFile("ram://folder/x.weights.h5", "rb") as file:
        assert file.read() == paths[0].read_bytes()
    with pytest.raises(ValueError, match=r"must end in \.weights\.h5.* got 'flow\.h5'"):
        save_weights(flow, "flow.h5")


def test_networks_in_bfloat16_come_back(tmp_path):
    path = tmp_path / "x.weights.h5"
    flow, again = (create("realnvp", **REALNVP, seed=seed, conditioner_dtype="bfloat16") for seed in (0, 1))
    save_weights(flow, path)
    load_weights(again, path)
    assert {weight.dtype.name for weight in again.get_weights()} >= {"bfloat16", "float32"}
    for got, expected in zip(again.get_weights(), flow.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_numbers_that_only_float64_holds_come_back(tmp_path):
    path, config = tmp_path / "x.weights.h5", {"event_shape": (2,), "depth": 2, "hidden": 4}
    flow = create("nice", **config)
    flow.transform.transforms[0].scale.assign([1e39, 1e-300])
    save_weights(flow, path)
    for load, again in ((load_weights, create("nice", **config)), (load_simpler, create("nice", **config, classes=2))):
        load(again, path)
        np.testing.assert_array_equal(again.transform.transforms[0].scale, [1e39, 1e-300])
    flow.save(tmp_path / "x.keras")
    again = keras.models.load_model(tmp_path / "x.keras")
    np.testing.assert_array_equal(again.transform.transforms[0].scale, [1e39, 1e-300])
    with h5py.File(path, "r+") as file:
        narrow = next(name for name in flow_layout(flow) if file[name].dtype == np.float32)
        shape = file[narrow].shape
        del file[narrow]
        file[narrow] = np.full(shape, 1e39)
    with pytest.raises(CheckpointError, match=f"got NaN or infinity in {narrow}"):
        load_weights(flow, path)
    with pytest.raises(CheckpointError, match=f"got NaN or infinity in {narrow}"):
        flow.load_weights(path, skip_mismatch=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (None, np.nan),
        (None, b"1.5"),
        (None, np.longdouble(1)),  # which TensorFlow does not know
        ("vars/0", np.longdouble(1)),
        ("vars/0", np.int64(2**32)),  # of `adapted`, an int32: it would be 0
        ("vars/0", np.uint64(2**64 - 1)),
        ("vars/0", np.float32(1.5)),
    ],
)
def test_a_refused_file_changes_nothing_even_if_its_last_variable_is_wrong(name, value, tmp_path):
    path, flow = tmp_path / "x.weights.h5", create("realnvp", event_shape=(2,), depth=2, hidden=4, seed=1)
    create("realnvp", event_shape=(2,), depth=2, hidden=4).save_weights(path)
    last = name or sorted(flow_layout(flow))[-2]
    with h5py.File(path, "r+") as file:
        shape = file[last].shape
        del file[last]
        file[last] = np.full(shape, value)
    flow.compile("adam")
    before = flow.get_weights()
    wider = create("realnvp", event_shape=(2,), depth=2, hidden=5)
    own = type(flow).load_weights
    by_keras = functools.partial(own, skip_mismatch=True)
    for load, into in ((own, flow), (by_keras, flow), (load_weights, flow), (load_simpler, wider)):
        with pytest.raises(CheckpointError, match=last):
            load(into, path)
    for got, expected in zip(flow.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_deeper_checkpoint_is_refused(tmp_path):
    path = str(tmp_path / "deep.weights.h5")
    create("realnvp", event_shape=(2,), depth=3, hidden=4).save_weights(path)
    with pytest.raises(CheckpointError, match="extra"):
        create("realnvp", event_shape=(2,), depth=2, hidden=4).load_weights(path)


def test_a_compiled_flow_saves_weights_that_a_new_one_takes(tmp_path):
    path, flow = str(tmp_path / "a.weights.h5"), create("realnvp", event_shape=(2,), depth=2, hidden=4)
    flow.fit([[0.0, 1.0]] * tf.ones([8, 1]), verbose=0)
    flow.save_weights(path)
    create("realnvp", event_shape=(2,), depth=2, hidden=4, seed=1).load_weights(path)


def test_nested_chains_are_taken_apart():
    shape = (2, 2, 1)
    first = bijectors.Chain([surjections.UniformDequantization(shape), bijectors.Logit(shape)])
    flow = Flow(bijectors.Chain([first, bijectors.ActNorm(shape)]))
    assert flow.bits == 8
    assert [type(part).__name__ for part in flow.bijection.transforms] == ["Logit", "ActNorm"]


GLOW = {"event_shape": (4, 4, 1), "levels": 1, "depth": 2, "hidden": 4, "noise_hidden": 2}
REALNVP = {"event_shape": (2,), "depth": 2, "hidden": 4}


@pytest.mark.parametrize(
    ("family", "config", "more", "condition"),
    [
        ("glow", GLOW | {"noise_depth": 1}, {"classes": 3}, [0, 2]),
        ("glow", GLOW, {"condition_features": 2}, [[1.0, -3.0], [0.5, 2.0]]),
        ("glow", GLOW, {"noise_depth": 1}, None),
        ("glow", GLOW, {"noise_depth": 1, "classes": 3}, [0, 2]),
        ("glow", GLOW | {"noise_depth": 1}, {"noise_depth": 3, "noise_hidden": 5}, None),
        ("glow", GLOW | {"noise_depth": 1}, {"noise_hidden": 5, "hidden": 6}, None),
        ("realnvp", REALNVP, {"classes": 2}, [0, 1]),
        ("glow", GLOW, {"hidden": 7, "classes": 3, "noise_depth": 1}, [0, 2]),
        ("realnvp", REALNVP | {"event_shape": (4, 4, 1), "bits": 8, "levels": 1}, {"hidden": 7}, None),
        ("realnvp", REALNVP, {"hidden": 7}, None),
        ("nice", REALNVP, {"hidden": 5}, None),
        ("nsf-coupling", REALNVP, {"hidden": 9}, None),
        ("nsf-coupling", REALNVP | {"affine": True, "bins": 0}, {"hidden": 9, "bins": 3}, None),
        ("nsf-coupling", REALNVP | {"affine": True, "bins": 0}, {"hidden": 10, "bins": 3}, None),  # as many as outputs
        ("nsf-ar", REALNVP | {"affine": True, "bins": 0}, {"bins": 3}, None),
        ("realnvp", REALNVP, {"classes": 2, "base": "class-conditional"}, [0, 1]),
    ],
)
def test_a_flow_starts_from_a_simpler_one(family, config, more, condition, tmp_path):
    path, plain = tmp_path / "plain.weights.h5", create(family, **config)
    rng = np.random.default_rng(0)
    plain.set_weights([0.1 * rng.standard_normal(w.shape).astype(w.dtype) for w in plain.get_weights()])
    plain.save_weights(path)
    flow = create(family, **(config | more), seed=1)
    load_simpler(flow, path)
    x = rng.integers(0, 256, (2, *plain.event_shape)).astype("uint8" if plain.bits else "float32")
    tolerance = 1e-4 if "noise_depth" in more else 1e-6  # other noise, uniform too: of a normal one
    np.testing.assert_allclose(flow.score(x, condition), plain.score(x), rtol=tolerance)


@pytest.mark.parametrize("more", [{"hidden": 8}, {"classes": 2}])
def test_units_of_masked_networks_keep_their_places(more, tmp_path):
    path, config = tmp_path / "simple.weights.h5", {"event_shape": (2,), "depth": 1, "hidden": 4}
    create("maf", **config).save_weights(path)
    with pytest.raises(CheckpointError, match="of another config"):
        load_simpler(create("maf", **(config | more)), path)


@pytest.mark.parametrize("more", [{}, {"classes": 2}, {"classes": 2, "base": "class-conditional"}])
def test_a_deeper_simpler_checkpoint_is_refused(more, tmp_path):
    path, flow = tmp_path / "deep.weights.h5", create("realnvp", **REALNVP, **more)
    create("realnvp", **(REALNVP | {"depth": 3})).save_weights(path)
    before = flow.get_weights()
    with pytest.raises(CheckpointError, match="of another config"):
        load_simpler(flow, path)
    for got, expected in zip(flow.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, expected)
