"""Trainings in stages: their folders, kills and pauses, starts, and what is refused before anything runs."""

import json
import shutil

import numpy as np
import pytest

from flowzoo import training
from flowzoo.core.errors import PresetError
from flowzoo.core.files import sha256
from flowzoo.hub.presets import read_preset
from flowzoo.training import stages, state, trainer
from tests.training import toy

SIMPLER = {"steps": 4, "validate_every": 2, "validation": "elbo", "seed": 1, "config": {"hidden": 4}}


class Killed(BaseException):
    """Stands for the end of the process."""


def preset(**first):
    """Two stages, of 4 and of 6 steps; the first trains a narrower flow."""
    return toy.preset(toy.CIRCLE, SIMPLER | first, steps=6, validate_every=3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The work folder of both stages, undisturbed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trainer, "Sources", toy.Circle)
        patched.setattr(stages, "require_dataset", lambda preset: None)
        folder = tmp_path_factory.mktemp("stages") / "whole"
        assert training.run(preset(), folder).finished
    return folder


def test_stages_run_in_order_each_in_its_folder(whole):
    first, last = (json.loads((folder / "result.json").read_text()) for folder in (whole / "stage-1", whole))
    assert (first["finished"], first["steps"], last["finished"], last["steps"]) == (True, 4, True, 6)
    assert first["seed"] == 1 and first["parameters"] < last["parameters"]
    assert read_preset(whole / "stage-1" / "preset.json").config == toy.CIRCLE["config"] | {"hidden": 4}
    here = read_preset(whole / "preset.json")
    assert here.config == toy.CIRCLE["config"] and [stage["steps"] for stage in here.training] == [4, 6]
    told = f"best.weights.h5 of toy after 4 steps from new weights, sha256 {sha256(whole / 'stage-1/best.weights.h5')}"
    assert (first["best"]["metric"], last["best"]["metric"]) == ("negative_elbo", "nats")
    assert (first["init_from"], last["init_from"], last["origin"]) == (None, None, told) and "origin" not in first


def test_kills_within_and_between_stages_change_nothing(circle, whole, tmp_path, monkeypatch):
    save, folder = state.save, tmp_path / "run"
    for moment in (("stage-1", 2), ("run", 1), ("run", 4)):  # the second before the last stage has a state

        def dying(path, step, *rest, moment=moment):
            if (path.parent.name, step) == moment:
                raise Killed
            return save(path, step, *rest)

        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(state, "save", dying)
            training.run(preset(), folder, save_minutes=0.0)
    shutil.rmtree(folder / "stage-1")  # no longer needed
    assert training.run(preset(), folder).finished and not (folder / "stage-1").exists()
    got, expected = (state.load(path / "state")[0] for path in (folder, whole))
    assert got.keys() == expected.keys()
    for name, value in got.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert json.loads((folder / "start.json").read_text()) == json.loads((whole / "start.json").read_text())


def test_max_steps_counts_over_the_stages(circle, tmp_path):
    result = training.run(preset(), tmp_path, max_steps=0)
    assert (result.stopped, result.step) == ("max_steps", 0) and state.begun(tmp_path / "stage-1" / "state")
    with pytest.raises(training.StateError, match="training: 2 stages there, 1 asked"):  # from the first moment on
        training.run(toy.preset(toy.CIRCLE), tmp_path)
    with pytest.raises(training.StateError, match=r"training\[0\]\.seed: 1 there, 2 asked"):
        training.run(preset(seed=2), tmp_path)
    result = training.run(preset(), tmp_path, max_steps=4)  # the end of the first
    assert (result.stopped, result.step) == ("max_steps", 0) and state.begun(tmp_path / "state")
    assert json.loads((tmp_path / "stage-1" / "result.json").read_text())["finished"]


def test_init_from_leaves_out_the_stages_before_the_last(circle, whole, tmp_path):
    training.run(preset(), tmp_path, init_from=whole, max_steps=0)
    assert not (tmp_path / "stage-1").exists()
    assert [stage["steps"] for stage in read_preset(tmp_path / "preset.json").training] == [6]
    assert json.loads((tmp_path / "start.json").read_text())["init_from"] == str(whole)


def test_the_first_stage_starts_from_a_preset(circle, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "initial_weights", lambda start: {"toy@3": whole / "best.weights.h5"}[start])
    monkeypatch.setattr(trainer, "origin", "{}, sha256 ab".format)
    started = training.run(toy.preset(toy.CIRCLE, start="toy@3"), tmp_path, max_steps=0)
    expected = toy.preset(toy.CIRCLE)
    flow = stages.trainer.untrained(expected, training.Recipe.from_dict(expected.training[0]))
    flow.load_weights(whole / "best.weights.h5")
    for got, value in zip(started.flow.get_weights(), flow.get_weights(), strict=True):
        np.testing.assert_array_equal(got, value)
    facts = {"init_from": None, "origin": "toy@3, sha256 ab"}
    assert json.loads((tmp_path / "start.json").read_text()) == facts


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ({"config": {"hiden": 4}}, {}, r"unknown key `config\.hiden`.* \(With `training\[0\]\.config`\.\)"),
        ({}, {"config": {"hidden": 4}}, r"`training\[1\]\.config` must be \{\} in the last stage"),
        ({}, {"start": "glow-mnist"}, r"`training\[1\]\.start` must be '' after the first stage, got 'glow-mnist'"),
        ({"finish_steps": 2}, {}, r"`training\.finish_split` must be named .* \(Stage 1 of 2\.\)"),
        (
            {},
            {"finish_split": "test", "finish_steps": 1},
            r"`training\[1\]\.finish_split` must be one of .*, got 'test'",
        ),
        ({}, {"objective": "flow"}, r"`training\.objective` must be one of .*, got 'flow'"),
        (
            {},
            {"validation": "bits_per_dim"},
            r"`training\.validation` must be .*, got 'bits_per_dim'\. Known: bound_of_50, elbo, log_likelihood\.",
        ),
    ],
)
def test_wrong_stages_are_refused_before_the_first_runs(tmp_path, first, last, message):
    moons = {**toy.CIRCLE, "dataset": {"name": "moons", "bits": 0, "labels": False}}
    with pytest.raises(PresetError, match=message):
        training.run(toy.preset(moons, first, **last), tmp_path / "run")
    assert not (tmp_path / "run").exists()
