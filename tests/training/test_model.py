"""What a training starts from."""

import os

import numpy as np
import pytest

from flowzoo.core.errors import CheckpointError, PresetError
from flowzoo.families import create
from flowzoo.record.preset import Preset
from flowzoo.record.recipe import Recipe
from flowzoo.training.model import build, origin, start_from, untrained
from tests.record import records
from tests.training import toy

CONFIG = {"event_shape": (2,), "hidden": 4}


def test_what_is_no_file_to_start_from_is_named(tmp_path):
    os.mkfifo(tmp_path / "x.weights.h5")
    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(CheckpointError, match="is not a regular file, but a named pipe"):
        origin(tmp_path / "x.weights.h5")
    with pytest.raises(PresetError, match="is not a regular file, but a named pipe"):
        origin(tmp_path / "x.json")
    (tmp_path / "best.weights.h5").write_bytes(b"")
    (tmp_path / "result.json").write_text('{"preset": "toy", "ste')
    with pytest.raises(CheckpointError, match=r"result\.json: expected a JSON object .* the weights only"):
        origin(tmp_path)


def test_a_conditional_flow_may_start_from_weights_without_condition(tmp_path):
    path, plain = tmp_path / "plain.weights.h5", create("realnvp", **CONFIG, depth=2)
    plain.save_weights(path)
    conditional, same = (create("realnvp", **CONFIG, depth=2, seed=1, classes=classes) for classes in (2, 0))
    x = np.array([[0.5, -1.0], [2.0, 0.0]], np.float32)
    for flow, labels in ((conditional, [0, 1]), (same, None)):
        start_from(flow, path)
        np.testing.assert_allclose(flow.score(x, labels), plain.score(x), rtol=1e-6)


@pytest.mark.parametrize("classes", [0, 2])
def test_weights_that_fit_neither_are_compared_with_the_flow(classes, tmp_path):
    path, flow = tmp_path / "deep.weights.h5", create("realnvp", **CONFIG, depth=2, classes=classes)
    deep = create("realnvp", **CONFIG, depth=3)
    deep.save_weights(path)
    with pytest.raises(CheckpointError, match=rf"{len(deep.weights)} variables and the flow has {len(flow.weights)}"):
        start_from(flow, path)


def test_a_condition_that_no_data_set_has_is_refused():
    record = records.untrained() | {"family": "realnvp", "config": CONFIG | {"event_shape": [2]}}
    record["dataset"] = {"name": "moons", "bits": 0, "labels": False}
    assert build(Preset.from_dict(record)).condition_features == 0
    record["config"]["condition_features"] = 3
    with pytest.raises(PresetError, match=r"what `dataset` asks for, none, got \(batch, 3\) numbers.*has no condition"):
        build(Preset.from_dict(record))


def test_a_recipe_names_what_is_minimised():
    preset = toy.preset(toy.CIRCLE)
    assert untrained(preset, Recipe(steps=1, objective="likelihood")).training_objective == "likelihood"
    with pytest.raises(PresetError, match=r"`training\.objective` must be one of .*, got 'flow'"):
        untrained(preset, Recipe(steps=1, objective="flow"))
