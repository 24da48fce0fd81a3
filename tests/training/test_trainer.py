"""`training.run`: fit by the recipe, pauses and restarts, the best weights, errors."""

import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

import flowzoo
from flowzoo import data, flows, training
from flowzoo.core.errors import CheckpointError, PresetError
from flowzoo.core.files import sha256
from flowzoo.hub.presets import read_preset
from flowzoo.measure import likelihood
from flowzoo.record.preset import Preset
from flowzoo.training import callbacks, machine, state
from tests.training import toy


def rows_without_time(result):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in result.history]


def test_a_training_leaves_what_it_should(circle, tmp_path):
    result = training.run(toy.preset(toy.CIRCLE), tmp_path)
    assert (result.stopped, result.finished, result.step) == ("steps", True, 12)
    assert [row["step"] for row in result.history] == [5, 10, 12]
    assert list(result.history[0]) == [
        "step",
        "seconds",
        "loss",
        "learning_rate",
        "validation_nats",
        "validation_nats_ema",
    ]
    assert result.history[-1]["learning_rate"] == pytest.approx(1e-5)
    assert (tmp_path / "history.csv").read_text().splitlines()[0] == ",".join(result.history[0])
    facts = json.loads((tmp_path / "result.json").read_text())
    assert facts["best"] == json.loads((tmp_path / "best.json").read_text()) == result.best
    assert facts["steps"] == 12 and facts["seconds_per_step"] > 0 and facts["versions"]["keras"]
    assert read_preset(tmp_path / "preset.json").training[0]["steps"] == 12
    assert facts["seed"] == 3 and facts["init_from"] is None and facts["peak_memory_bytes"] > 2**20
    assert list((tmp_path / "tensorboard").iterdir())
    assert len(list((tmp_path / "state").iterdir())) == 1


def test_the_better_of_raw_and_averaged_weights_is_kept(circle, tmp_path):
    result = training.run(toy.preset(toy.CIRCLE), tmp_path)
    values = {
        (row["step"], which): row[f"validation_nats{suffix}"]
        for row in result.history
        for which, suffix in (("raw", ""), ("ema", "_ema"))
    }
    best = min(values, key=values.get)
    assert (result.best["step"], result.best["weights"]) == best and result.best["value"] == values[best]
    again = flows.RealNVP(**toy.CIRCLE["config"])
    again.load_weights(tmp_path / "best.weights.h5")
    x, _ = toy.Circle(None, training.Recipe.from_dict(toy.TRAINING)).validation
    assert likelihood.losses(again, x).mean() == pytest.approx(values[best], abs=1e-6)


@pytest.mark.parametrize("best", ["raw", "ema"])
def test_validation_tries_both_weights(circle, tmp_path, monkeypatch, best):
    # A weight that only grows is judged by its size: the averaged one is always smaller.
    def size(flow, *_):
        value = np.abs(flow.trainable_weights[-1].numpy()).sum()
        return np.array([value if best == "ema" else 1 / value])

    monkeypatch.setattr(likelihood, "losses", size)
    count = callbacks.Count.on_train_batch_end

    def grow(callback, batch, logs=None):
        count(callback, batch, logs)
        weight = callback.model.trainable_weights[-1]
        weight.assign(np.full(weight.shape, callback.progress.step, np.float32))

    monkeypatch.setattr(callbacks.Count, "on_train_batch_end", grow)
    result = training.run(toy.preset(toy.CIRCLE, learning_rate=1e-6), tmp_path)
    assert result.best["weights"] == best and result.best["step"] == (5 if best == "ema" else 12)
    column = "validation_nats" + ("_ema" if best == "ema" else "")
    assert result.best["value"] == min(row[column] for row in result.history)
    assert size(result.flow)[0] == pytest.approx(result.best["value"])


def test_a_pause_in_the_middle_changes_nothing(circle, tmp_path):
    whole = training.run(toy.preset(toy.CIRCLE), tmp_path / "whole")
    first = training.run(toy.preset(toy.CIRCLE), tmp_path / "parts", max_steps=3)
    assert (first.stopped, first.finished, first.step, first.history) == ("max_steps", False, 3, [])
    assert first.best["step"] == 3  # there was no validation: reports where it stands
    second = training.run(toy.preset(toy.CIRCLE), tmp_path / "parts", max_steps=7)
    assert (second.step, len(second.history)) == (7, 1)
    parts = training.run(toy.preset(toy.CIRCLE), tmp_path / "parts")
    for got, expected in zip(rows_without_time(parts), rows_without_time(whole), strict=True):
        assert got == pytest.approx(expected, rel=1e-6)
    for got, expected in zip(parts.flow.get_weights(), whole.flow.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_sigterm_finishes_the_step_and_saves(circle, tmp_path):
    def changed(step, x):
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return x

    circle.changed = staticmethod(changed)
    handler = signal.getsignal(signal.SIGTERM)
    result = training.run(toy.preset(toy.CIRCLE), tmp_path)
    assert result.stopped == "signal" and not result.finished and result.step < 12
    assert state.load(tmp_path / "state")[1]["step"] == result.step
    assert signal.getsignal(signal.SIGTERM) is handler
    circle.changed = staticmethod(lambda step, x: x)
    assert training.run(toy.preset(toy.CIRCLE), tmp_path).finished


def test_peak_memory_is_that_of_all_processes(circle, tmp_path, monkeypatch):
    for steps, peaks in ((3, {"memory": 300, "gpu_memory": 70}), (6, {"memory": 200, "gpu_memory": 90})):
        monkeypatch.setattr(machine, "peak_memory", lambda peaks=peaks: peaks)
        training.run(toy.preset(toy.CIRCLE), tmp_path, max_steps=steps)
    facts = json.loads((tmp_path / "result.json").read_text())
    assert (facts["peak_memory_bytes"], facts["peak_gpu_memory_bytes"]) == (300, 90)


def test_max_minutes_pauses(circle, tmp_path):
    assert training.run(toy.preset(toy.CIRCLE), tmp_path, max_minutes=0.0).stopped == "max_minutes"


def test_a_non_finite_loss_stops_with_its_step_and_keeps_the_last_good_state(circle, tmp_path):
    circle.changed = staticmethod(lambda step, x: x * np.float32("nan" if step == 7 else 1))
    with pytest.raises(training.NonFiniteLoss, match="The loss is nan at step 8") as error:
        training.run(toy.preset(toy.CIRCLE), tmp_path, save_minutes=0.0)
    assert error.value.step == 8
    arrays, facts = state.load(tmp_path / "state")
    assert facts["step"] == 7 and all(np.isfinite(value).all() for value in arrays.values())


def test_a_state_with_non_finite_weights_is_never_written(circle, tmp_path, monkeypatch):
    count = callbacks.Count.on_train_batch_end

    def spoil(callback, batch, logs=None):  # as an infinite gradient under a finite loss does
        count(callback, batch, logs)
        if callback.progress.step == 4:
            callback.model.trainable_variables[0].assign(callback.model.trainable_variables[0] * np.inf)

    monkeypatch.setattr(callbacks.Count, "on_train_batch_end", spoil)
    with pytest.raises(training.NonFiniteLoss, match=r"not finite at step 4"):
        training.run(toy.preset(toy.CIRCLE), tmp_path, save_minutes=0.0)
    assert state.load(tmp_path / "state")[1]["step"] == 3


def test_early_stopping(circle, tmp_path):
    frozen = toy.preset(toy.CIRCLE, learning_rate=1e-30, final_learning_rate=0.0, ema=0, patience=2, validate_every=2)
    result = training.run(frozen, tmp_path)
    assert (result.stopped, result.finished, result.step, result.best["step"]) == ("early_stopping", True, 6, 2)
    assert training.run(frozen, tmp_path).step == 6  # finished is finished


def test_another_recipe_is_refused(circle, tmp_path):
    training.run(toy.preset(toy.CIRCLE), tmp_path, max_steps=1)
    with pytest.raises(training.StateError, match=r"training\[0\]\.learning_rate: 0\.003 there, 0\.1 asked") as error:
        training.run(toy.preset(toy.CIRCLE, learning_rate=0.1, steps=99), tmp_path)
    assert "training[0].steps: 12 there, 99 asked" in str(error.value) and "--init_from" in str(error.value)
    with pytest.raises(training.StateError, match=r"from new weights, got --init_from=x\.weights\.h5\. Pass the same"):
        training.run(toy.preset(toy.CIRCLE), tmp_path, init_from="x.weights.h5")


def test_a_second_process_is_refused(circle, tmp_path):
    pytest.importorskip("fcntl")
    from flowzoo.training import folder

    with folder.alone(tmp_path), pytest.raises(training.StateError, match="Another process"):
        training.run(toy.preset(toy.CIRCLE), tmp_path)


@pytest.mark.parametrize(("name", "content"), [("preset.json", '{"family": "realnvp", "con'), ("start.json", "")])
def test_a_cut_file_of_the_folder_is_named(circle, tmp_path, name, content):
    training.run(toy.preset(toy.CIRCLE), tmp_path, max_steps=0)
    whole = (tmp_path / name).read_text()
    (tmp_path / name).write_text(content)
    with pytest.raises(training.StateError, match=rf"{name}: expected a JSON object .* Copy it again .* remove it"):
        training.run(toy.preset(toy.CIRCLE), tmp_path, max_steps=0)
    (tmp_path / name).unlink()
    training.run(toy.preset(toy.CIRCLE), tmp_path, max_steps=0)
    assert name == "start.json" or (tmp_path / name).read_text() == whole


FULL = """
import resource, sys
from flowzoo import training
from flowzoo.training import trainer
from tests.training import toy

def run():
    print(training.run(toy.preset(toy.CIRCLE, steps=2, validate_every=1), sys.argv[1]).stopped, flush=True)

trainer.Sources = toy.Circle
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    run()
except OSError as error:
    print(error, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
run()
"""


def test_a_full_disk_is_an_error_and_the_folder_goes_on_once_there_is_room(tmp_path, fresh_process):
    full, stopped = fresh_process(FULL, tmp_path).splitlines()
    assert full == f"[Errno 27] File too large: '{tmp_path}/best.weights.h5'" and stopped == "steps"
    flows.RealNVP(**toy.CIRCLE["config"]).load_weights(tmp_path / "best.weights.h5")
    assert not list(tmp_path.rglob(".*.tmp"))


def test_init_from_takes_weights_and_a_fresh_optimizer(circle, tmp_path):
    first = training.run(toy.preset(toy.CIRCLE), tmp_path / "first")
    weights = tmp_path / "first" / "best.weights.h5"
    second = training.run(
        toy.preset(toy.CIRCLE, learning_rate=1e-9, final_learning_rate=0.0), tmp_path / "second", init_from=weights
    )
    for got, expected in zip(second.flow.get_weights(), first.flow.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)
    again = training.run(toy.preset(toy.CIRCLE), tmp_path / "again", init_from=tmp_path / "first", max_steps=1)
    start = json.loads((tmp_path / "again" / "start.json").read_text())
    assert again.step == 1 and start["init_from"].endswith("first")
    expected = f"best.weights.h5 of {toy.preset(toy.CIRCLE).name} after {first.step} steps from new weights"
    assert start["origin"] == f"{expected}, sha256 {sha256(weights)}"
    deeper = {**toy.CIRCLE, "config": toy.CIRCLE["config"] | {"depth": 1}}
    with pytest.raises(ValueError, match="extra"):
        training.run(toy.preset(deeper), tmp_path / "third", init_from=weights)


def test_init_from_takes_a_preset(published, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nothing"))
    record = read_preset(published).to_dict()
    tiny = Preset.from_dict(record | {"training": [record["training"][0] | {"adapt_examples": 0}]})
    result = training.run(tiny, tmp_path / "run", smoke=True, init_from=published, max_steps=1)
    start = flowzoo.load(published)
    change = max(np.abs(a - b).max() for a, b in zip(result.flow.get_weights(), start.get_weights(), strict=True))
    assert 0 < change < 0.01
    assert json.loads((tmp_path / "run" / "result.json").read_text())["init_from"] == str(published)
    origin = json.loads((tmp_path / "run" / "result.json").read_text())["origin"]
    assert origin == f"tiny@1, sha256 {record['files']['model.weights.h5']['sha256']}"
    with pytest.raises(
        PresetError, match=r"name of a preset or the path of a \.weights\.h5 .*'glow-fashon'.*Did you mean"
    ):
        training.run(tiny, tmp_path / "other", smoke=True, init_from="glow-fashon")
    with pytest.raises(CheckpointError, match="glow-cifar10-paper has no published"):
        training.run(tiny, tmp_path / "other", smoke=True, init_from="glow-cifar10-paper")


def test_smoke_on_images_without_the_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nothing"))
    with pytest.raises(data.MissingDataError, match="fetch_data"):
        training.run(toy.preset(toy.IMAGES), tmp_path / "real")
    result = training.run(toy.preset(toy.IMAGES), tmp_path / "smoke", smoke=True)
    assert result.finished and result.step == 4 and "bits_per_dim" in result.history[0]
    assert json.loads((tmp_path / "smoke" / "result.json").read_text())["fixture"] is True
    for name in ("samples", "interpolations"):
        with Image.open(tmp_path / "smoke" / name / "000000004.png") as image:
            assert image.size == (8 * 28, 8 * 28)
    events = b"".join(path.read_bytes() for path in (tmp_path / "smoke" / "tensorboard").iterdir())
    for tag in (b"samples", b"interpolations", b"peak_memory_bytes", b"validation_bits_per_dim"):
        assert tag in events
    assert events.count(b"\x89PNG") == 4
    with pytest.raises(training.StateError, match=r"training\[0\]\.steps"):
        training.run(toy.preset(toy.IMAGES), tmp_path / "smoke")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "realnpv"}, r"preset: `family` .*Did you mean 'realnvp'"),
        ({"config": {"event_shape": [2], "widht": 8}}, r"preset: unknown key `config\.widht`"),
        ({"training": toy.TRAINING | {"decay": "linear"}}, r"preset: `training\[0\]\.decay` must be .*, got 'linear'"),
        ({"dataset": {"name": "fashion_mnits", "bits": 0, "labels": False}}, r"`dataset\.name` .*'fashion_mnist'"),
    ],
)
def test_a_wrong_preset_leaves_no_folder(tmp_path, change, message):
    with pytest.raises(PresetError, match=message):
        preset = Preset.from_dict(toy.preset(toy.CIRCLE).to_dict() | change)
        training.run(preset, tmp_path / "run", smoke=True)
    assert not (tmp_path / "run").exists()


def test_a_start_that_fails_does_not_claim_the_folder(circle, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(CheckpointError, match=r"no file is at .*missing"):
        training.run(toy.preset(toy.CIRCLE), run, init_from=tmp_path / "missing.weights.h5")
    with pytest.raises(ValueError, match="must be a preset or a weight file, got ''"):
        training.run(toy.preset(toy.CIRCLE), run, init_from="")
    with pytest.raises(ValueError, match="`save_minutes` must be at least 0, got nan"):
        training.run(toy.preset(toy.CIRCLE), run, save_minutes=float("nan"))
    assert not run.exists()
    assert training.run(toy.preset(toy.CIRCLE), run, max_steps=1).step == 1


def test_saving_memory_changes_neither_the_training_nor_its_files(circle, tmp_path):
    plain = training.run(toy.preset(toy.CIRCLE), tmp_path / "plain")
    saving = training.run(toy.preset(toy.CIRCLE), tmp_path / "saving", max_steps=7, backprop="reversible", accumulate=4)
    saving = training.run(toy.preset(toy.CIRCLE), tmp_path / "saving", backprop="remat", accumulate=2)
    for one, other in zip(rows_without_time(plain), rows_without_time(saving), strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    for one, other in zip(plain.flow.weights, saving.flow.weights, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5)
    records = [(tmp_path / name / "preset.json").read_text() for name in ("plain", "saving")]
    assert records[0] == records[1]


def test_wrong_ways_of_saving_memory_are_named(circle, tmp_path):
    with pytest.raises(ValueError, match=r"`accumulate` must divide .* got 3 for a `batch_size` of 8 "):
        training.run(toy.preset(toy.CIRCLE), tmp_path / "run", accumulate=3)
    with pytest.raises(ValueError, match=r"`backprop` must be one of .* got 'less'"):
        training.run(toy.preset(toy.CIRCLE), tmp_path / "run", backprop="less")
    assert not (tmp_path / "run").exists()
