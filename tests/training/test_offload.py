"""Trainings whose steps are an XLA program run by JAX end as those by TensorFlow do."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from flowzoo import training
from flowzoo.core.errors import PresetError
from flowzoo.hub.presets import read_preset
from flowzoo.record.recipe import Recipe
from flowzoo.training import state
from flowzoo.training.offload import jobs
from flowzoo.training.optimizer import learning_rate
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
    from flowzoo.training.offload import program

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
    assert jobs.run(run, begun / "program") == 12
    result = training.run(preset(), run)
    assert result.finished and [row["step"] for row in result.history] == [4, 8, 12]
    facts = json.loads((run / "result.json").read_text())
    assert facts["hardware"].startswith("cpu by JAX ") and facts["seconds_per_step"] > 0
    equal(run, begun / "whole")


def test_fit_goes_on_where_the_program_stopped(begun, run):
    assert jobs.run(run, begun / "program", last_step=0) == 0
    assert jobs.run(run, begun / "program", last_step=7) == 4
    assert training.run(preset(), run).finished
    hardware = json.loads((run / "result.json").read_text())["hardware"]
    assert "(8 steps); cpu by JAX" in hardware and hardware.endswith("(4 steps)")
    equal(run, begun / "whole")


def steps_of(folder):
    return read_preset(folder / "preset.json").training[-1]["steps"]


def test_minutes_make_the_recipe_before_the_first_step(begun, run):
    step = jobs.run(run, begun / "program", minutes=0.05, last_step=CALLS)
    steps = steps_of(run)
    assert steps % CALLS == 0 and step == CALLS < steps != 12
    rates = [row["learning_rate"] for row in state.load(run / "state")[1]["rows"]]
    assert jobs.run(run, begun / "program", minutes=0.0) == CALLS and steps_of(run) == steps
    changed = read_preset(run / "preset.json")
    result, recipe = training.run(changed, run, max_steps=2 * CALLS), Recipe.from_dict(changed.training[0])
    rates += [row["learning_rate"] for row in result.history[1:]]
    np.testing.assert_allclose(rates, [float(learning_rate(recipe)(n)) for n in (CALLS, 2 * CALLS)], rtol=1e-6)


def test_too_few_minutes_change_nothing(begun, run):
    with pytest.raises(ValueError, match="`minutes` must allow at least 4 steps; 0 fit here"):
        jobs.run(run, begun / "program", minutes=1e-4)
    assert steps_of(run) == 12 and state.load(run / "state")[1]["step"] == 0


@pytest.mark.parametrize(
    "limit", [{"minutes": -1.0}, {"minutes": float("nan")}, {"last_step": -5}, {"save_minutes": -1}]
)
def test_limits_are_at_least_0(begun, run, limit):
    [name] = limit
    with pytest.raises(ValueError, match=f"`{name}` must be at least 0, got"):
        jobs.run(run, begun / "program", **limit)


def test_the_program_has_no_dynamic_sizes(begun):
    assert b"get-dimension-size" not in (begun / "program" / "train.hlo").read_bytes()  # XLA for GPUs refuses some


def test_a_loss_that_is_not_finite_keeps_the_last_state(begun, run):
    arrays, facts = state.load(run / "state")
    name = next(n for n, v in arrays.items() if n.startswith("model/") and v.ndim == 4)
    arrays[name] = np.full_like(arrays[name], np.nan)
    state.save(run / "state", facts.pop("step"), arrays, facts)
    with pytest.raises(
        ArithmeticError, match="not finite within 4 steps after step 0; the step that met it changed nothing"
    ):
        jobs.run(run, begun / "program")
    assert state.load(run / "state")[1]["step"] == 0


def test_a_step_of_the_program_that_is_not_finite_changes_nothing():
    import tensorflow as tf

    from flowzoo.training.model import compiled
    from flowzoo.training.offload import program

    flow = compiled(toy.preset(toy.CIRCLE), Recipe.from_dict(toy.TRAINING))
    step = tf.function(lambda x: program._masked_step(flow, (x,)), jit_compile=True, autograph=False)
    values = lambda: [v.numpy() for v in (*flow.weights, *flow.optimizer.variables, *flow.metrics_variables)]  # noqa: E731
    for scale, finite in ((1.0, True), (np.nan, False), (1e30, False), (1.0, True)):
        before = values()
        assert bool(step(scale * tf.ones([8, 2]))[0]) is finite
        same = [np.array_equal(old, new) for old, new in zip(before, values(), strict=True)]
        assert not all(same) if finite else all(same)
    assert flow.optimizer.iterations == 2


def test_what_does_not_fit_is_refused(begun, run, tmp_path):
    other = toy.preset(COLOURS).to_dict()
    (run / "preset.json").write_text(json.dumps(other)[:-1])
    with pytest.raises(state.StateError, match=r"preset\.json: expected a JSON object .* a truncated or damaged one"):
        jobs.run(run, begun / "program")
    (run / "preset.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="must be exported from the training in"):
        jobs.run(run, begun / "program")
    with pytest.raises(FileNotFoundError, match=r"program\.json"):
        jobs.run(run, tmp_path / "none")
    old = shutil.copytree(begun / "program", tmp_path / "old")
    manifest = json.loads((old / "program.json").read_text())
    (old / "program.json").write_text(json.dumps(manifest | {"format": 0}))
    with pytest.raises(ValueError, match="must have format 3, got 0"):
        jobs.run(run, old)
    for text, wrong in (("{}", "one without format"), ('{"format": 3', "a truncated or damaged one")):
        (old / "program.json").write_text(text)
        with pytest.raises(ValueError, match=rf"program\.json: expected .* {wrong}.*Export it again"):
            jobs.run(run, old)


@pytest.mark.parametrize("name", ["train.hlo", "validate.hlo", "examples.npz"])
def test_a_program_that_is_not_whole_is_refused(begun, run, tmp_path, name):
    torn = shutil.copytree(begun / "program", tmp_path / "torn")
    (torn / name).write_bytes((torn / name).read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"{name} must have \d+ bytes, got \d+\. Export it again"):
        jobs.run(run, torn)


def test_an_export_that_breaks_off_leaves_no_program(begun, tmp_path, monkeypatch):
    from flowzoo.training.offload import program

    torn = shutil.copytree(begun / "program", tmp_path / "torn")
    monkeypatch.setattr(program, "_validation", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        program.export(begun / "run", torn, CALLS)
    with pytest.raises(FileNotFoundError, match=r"program\.json"):
        jobs.run(begun / "run", torn)


def test_without_jax_the_extra_is_named(begun, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(ImportError, match=r"needs JAX, got: .*pip install flowzoo\[offload\]"):
        jobs.run(run, begun / "program")


def test_a_folder_without_a_state_is_refused(begun, run):
    shutil.rmtree(run / "state")
    with pytest.raises(training.StateError, match="--max_steps=0"):
        jobs.run(run, begun / "program")


def test_what_no_program_does_is_refused(begun, tmp_path):
    from flowzoo.training.offload import program

    with pytest.raises(ValueError, match="`steps_per_call` must be 1 to 8"):
        program.export(begun / "run", tmp_path, 9)
    training.run(preset(patience=2), tmp_path / "patient", max_steps=0)
    with pytest.raises(PresetError, match=r"`training.patience` must be 0"):
        program.export(tmp_path / "patient", tmp_path)
    assert not (tmp_path / "program.json").exists()


def test_clips_of_audio_that_a_recipe_moves_are_refused(tmp_path):
    from flowzoo.training.offload import program

    read_preset("waveflow-fsdd").write(tmp_path / "preset.json")
    with pytest.raises(PresetError, match=r"`training.shift` must be 0 to train by a program"):
        program.export(tmp_path, tmp_path / "program", 1)


def test_running_needs_no_tensorflow():
    code = "import sys, flowzoo.training.offload.jobs; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
