"""Trainings whose steps are an XLA program run by JAX end as those by TensorFlow do."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from flowzoo import training
from flowzoo.errors import PresetError
from flowzoo.training import offload, state
from tests.training import toy

pytestmark = pytest.mark.offload
pytest.importorskip("jax", reason="needs the extra offload")

COLOURS = {
    "family": "realnvp",
    "config": {"event_shape": [32, 32, 3], "bits": 8, "levels": 1, "depth": 1, "hidden": 2, "blocks": 1, "classes": 10},
    "dataset": {"name": "cifar10", "bits": 8, "labels": True},
}
CALLS = 4


def preset(**training):
    return toy.preset(COLOURS, flip=True, shift=2, validate_every=4, **training)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A work folder in which a training has begun, its program, and the work folder of the same training by `fit`."""
    from flowzoo.data import arrays
    from flowzoo.training import program

    folder = tmp_path_factory.mktemp("offload")
    original = toy.fixture_as_data()
    training.run(preset(), folder / "run", max_steps=0)
    program.export(folder / "run", folder / "program", CALLS)
    training.run(preset(), folder / "whole")
    yield folder
    arrays.read = original


@pytest.fixture
def run(begun, tmp_path):
    """A copy of the begun work folder."""
    return shutil.copytree(begun / "run", tmp_path / "run")


def equal(one, other):
    rows = [(folder / "history.csv").read_text().splitlines()[-1].split(",") for folder in (one, other)]
    np.testing.assert_allclose(*([float(v) for i, v in enumerate(row) if i != 1] for row in rows), rtol=1e-5)
    arrays = [state.load(folder / "state")[0] for folder in (one, other)]
    assert arrays[0].keys() == arrays[1].keys()
    for name, value in arrays[0].items():
        np.testing.assert_allclose(value, arrays[1][name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_a_training_ends_as_by_fit(begun, run):
    assert offload.run(run, begun / "program") == 12
    result = training.run(preset(), run)
    assert result.finished and [row["step"] for row in result.history] == [4, 8, 12]
    facts = json.loads((run / "result.json").read_text())
    assert facts["hardware"].startswith("cpu by JAX ") and facts["seconds_per_step"] > 0
    equal(run, begun / "whole")


def test_fit_goes_on_where_the_program_stopped(begun, run):
    assert offload.run(run, begun / "program", last_step=0) == 0
    assert offload.run(run, begun / "program", last_step=7) == 4
    assert training.run(preset(), run).finished
    hardware = json.loads((run / "result.json").read_text())["hardware"]
    assert "(8 steps); cpu by JAX" in hardware and hardware.endswith("(4 steps)")
    equal(run, begun / "whole")


def test_minutes_make_the_recipe(begun, run, monkeypatch):
    monkeypatch.setattr(offload, "PACE_CALLS", 2)
    step = offload.run(run, begun / "program", minutes=0.02)
    steps = json.loads((run / "preset.json").read_text())["training"]["steps"]
    assert steps % CALLS == 0 and 8 <= step <= steps != 12


def test_the_program_has_no_dynamic_sizes(begun):
    assert b"get-dimension-size" not in (begun / "program" / "train.hlo").read_bytes()  # XLA for GPUs refuses some


def test_a_loss_that_is_not_finite_keeps_the_last_state(begun, run):
    arrays, facts = state.load(run / "state")
    name = next(n for n, v in arrays.items() if n.startswith("model/") and v.ndim == 4)
    arrays[name] = np.full_like(arrays[name], np.nan)
    state.save(run / "state", facts.pop("step"), arrays, facts)
    with pytest.raises(ArithmeticError, match="The loss is nan after step 0"):
        offload.run(run, begun / "program")
    assert state.load(run / "state")[1]["step"] == 0


def test_what_does_not_fit_is_refused(begun, run, tmp_path):
    other = toy.preset(COLOURS).to_dict()
    (run / "preset.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="must be exported from the training in"):
        offload.run(run, begun / "program")
    with pytest.raises(FileNotFoundError, match=r"program\.json"):
        offload.run(run, tmp_path / "none")
    old = shutil.copytree(begun / "program", tmp_path / "old")
    manifest = json.loads((old / "program.json").read_text())
    (old / "program.json").write_text(json.dumps(manifest | {"format": 0}))
    with pytest.raises(ValueError, match="must have format 1, got 0"):
        offload.run(run, old)


def test_a_folder_without_a_state_is_refused(begun, run):
    shutil.rmtree(run / "state")
    with pytest.raises(training.StateError, match="--max_steps=0"):
        offload.run(run, begun / "program")


def test_what_no_program_does_is_refused(begun, tmp_path):
    from flowzoo.training import program

    with pytest.raises(ValueError, match="`steps_per_call` must be 1 to 8"):
        program.export(begun / "run", tmp_path, 9)
    training.run(preset(patience=2), tmp_path / "patient", max_steps=0)
    with pytest.raises(PresetError, match=r"`training.patience` must be 0"):
        program.export(tmp_path / "patient", tmp_path)
    assert not (tmp_path / "program.json").exists()


def test_running_needs_no_tensorflow():
    code = "import sys, flowzoo.training.offload; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
