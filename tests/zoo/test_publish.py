"""Publishing: what is written loads and verifies, and a worse run does not replace a better one."""

import dataclasses
import json
import os

import numpy as np
import pytest
from PIL import Image

import flowzoo
from flowzoo import training
from flowzoo.core.errors import CheckpointError, PresetError
from flowzoo.core.files import sha256
from flowzoo.hub.presets import read_preset
from flowzoo.measure.certificate import Certificate
from flowzoo.measure.registry import headline_text
from flowzoo.record.preset import Preset
from flowzoo.training.model import build
from flowzoo.zoo import publish
from flowzoo.zoo.verify import verify
from tests.record import records
from tests.zoo import tiny


@pytest.fixture(autouse=True)
def small_test_split(monkeypatch):
    images, _ = flowzoo.data.fixture("fashion_mnist")
    monkeypatch.setattr(publish, "official_test", lambda preset, data_dir: (images[:64], None))


@pytest.fixture
def untrained(tmp_path):
    return records.write(tmp_path / "tiny.json", records.untrained() | {"config": tiny.CONFIG})


def test_a_finished_run_is_published(untrained, tmp_path):
    run = tiny.finished_run(tmp_path / "run", read_preset(untrained))
    preset = publish.publish(untrained, run)
    assert preset == read_preset(untrained)
    assert preset.revision == 1
    assert preset.metrics["bits_per_dim"]["weights"] == "ema"
    assert preset.metrics["bits_per_dim"]["examples"] == 64
    assert preset.metrics["fixture_bits_per_dim"]["examples"] == 256
    assert set(preset.certificate) == {"test", "sampled", "out_of_distribution"}
    assert not Certificate().broken(preset.certificate)
    assert preset.other_data_set["dataset"] == "mnist" and sum(preset.other_data_set["other"]["counts"]) == 256
    assert sorted(path.name for path in (tmp_path / "tiny").iterdir()) == sorted(preset.files)
    with Image.open(tmp_path / "tiny" / "samples.png") as image:
        assert image.size == (8 * 28 * 2, 12 * 28 * 2)
    with Image.open(tmp_path / "tiny" / "interpolations.png") as image:
        assert image.size == (8 * 28 * 2, 8 * 28 * 2)
    assert flowzoo.load(untrained).count_params() == preset.parameters

    again = publish.publish(untrained, run)
    assert again.files == preset.files
    assert again.revision == 2


def test_a_worse_run_needs_force(altered, tmp_path):
    worse = tiny.finished_run(tmp_path / "run", read_preset(altered), scale=0.2)
    before = altered.read_text()
    with pytest.raises(CheckpointError, match=r"published with .* bits/dim, this run has .*--force"):
        publish.publish(altered, worse)
    assert altered.read_text() == before
    flowzoo.load(altered)
    publish.publish(altered, worse, force=True)
    assert altered.read_text() != before


def test_a_flow_that_does_not_invert_needs_force(altered, tmp_path, monkeypatch):
    preset, before = read_preset(altered), altered.read_text()
    broken = {kind: records.ROUND_TRIP | {"log_det_error": 0.1} for kind in ("test", "out_of_distribution")}
    numbers = {"metrics": preset.metrics, "certificate": broken}
    monkeypatch.setattr(publish, "measured", lambda *_, **__: numbers)
    run = tiny.finished_run(tmp_path / "run", preset)
    with pytest.raises(
        CheckpointError, match=r"must invert: log_det_error of test inputs is 0\.1, more than 0\.05\. .*--force"
    ):
        publish.publish(altered, run)
    assert altered.read_text() == before


def test_another_models_run_is_refused(altered, tmp_path):
    other = Preset.from_dict(records.untrained() | {"config": tiny.CONFIG | {"depth": 2}})
    with pytest.raises(PresetError, match="the run's `config` must be the preset's"):
        publish.publish(altered, tiny.finished_run(tmp_path / "run", other))


@pytest.mark.parametrize("changes", [{"finished": False, "stopped": "max_minutes"}, {"fixture": True}])
def test_an_unfinished_run_is_refused(altered, tmp_path, changes):
    run = tiny.finished_run(tmp_path / "run", read_preset(altered), **changes)
    with pytest.raises(CheckpointError, match="is not a finished training"):
        publish.publish(altered, run)


def test_a_result_that_is_cut_is_named(altered, tmp_path):
    run = tiny.finished_run(tmp_path / "run", read_preset(altered))
    result = run / "result.json"
    result.write_text(result.read_text()[:-20])
    with pytest.raises(CheckpointError, match=rf"{result}: expected a JSON object .* train on"):
        publish.publish(altered, run)


def test_a_cut_preset_of_a_run_is_named_with_its_folder(altered, tmp_path):
    run = tiny.finished_run(tmp_path / "run", read_preset(altered))
    (run / "preset.json").write_text('{"name":')
    with pytest.raises(PresetError, match=r"^in .*/run: preset\.json: "):
        publish.publish(altered, run)


def test_a_history_that_is_a_pipe_is_refused(altered, tmp_path):
    run = tiny.finished_run(tmp_path / "run", read_preset(altered))
    (run / "history.csv").unlink()
    os.mkfifo(run / "history.csv")
    with pytest.raises(CheckpointError, match=r"run/history\.csv is not a regular file, but a named pipe"):
        publish.publish(altered, run, force=True)


def test_what_a_real_training_leaves_is_published(untrained, tmp_path):
    simpler = {"config": {"hidden": 2}}
    tiny.edit(untrained, lambda record: record["training"].insert(0, record["training"][0] | simpler))
    preset = read_preset(untrained)
    training.run(preset, tmp_path / "run", smoke=True)
    with pytest.raises(PresetError, match="the run's `training` must be the preset's"):
        publish.publish(untrained, tmp_path / "run")
    published = publish.publish(untrained, tmp_path / "run", force=True)
    assert [stage["steps"] for stage in published.training] == [4, published.provenance["steps"]]
    assert published.training[0]["config"] == {"hidden": 2} and published.config == preset.config
    facts = "best.weights.h5 of tiny after 4 steps from new weights, sha256 "
    assert published.provenance["init_from"] == facts + sha256(tmp_path / "run" / "stage-1" / "best.weights.h5")
    best = build(preset)
    best.load_weights(tmp_path / "run" / "best.weights.h5")
    for mine, its in zip(flowzoo.load(untrained).get_weights(), best.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_memory_and_start_come_to_the_card(untrained, tmp_path):
    command = "python tools/train.py --preset=/home/me/tiny.json --workdir=/home/me/run"
    command += " --init_from=/home/me/old/best.weights.h5"
    facts = {"peak_memory_bytes": 12345, "init_from": "/home/me/old/best.weights.h5", "command": command}
    run = tiny.finished_run(tmp_path / "run", read_preset(untrained), **facts)
    with pytest.raises(PresetError, match=r"got --init_from=/home/me/old/best\.weights\.h5, which no commit has"):
        publish.publish(untrained, run)
    provenance = publish.publish(untrained, run, force=True).provenance
    assert (provenance["peak_memory_bytes"], provenance["init_from"]) == (12345, "best.weights.h5")
    assert provenance["command"].endswith("--preset=tiny.json --workdir=DIR --init_from=best.weights.h5")
    assert "peak_gpu_memory_bytes" not in provenance
    noted = publish._provenance(json.loads((run / "result.json").read_text()) | {"origin": "tiny@1, sha256 ab"})
    assert noted["init_from"] == "tiny@1, sha256 ab"


def test_stages_and_start_are_those_that_ran(untrained, tmp_path):
    preset = read_preset(untrained)
    run = tiny.finished_run(tmp_path / "run", preset)
    other = dataclasses.replace(preset, training=[*preset.training, *preset.training])
    other.write(run / "preset.json")
    with pytest.raises(PresetError, match="the run's `training` must be the preset's"):
        publish.publish(untrained, run)
    started = {"init_from": "glow-mnist", "origin": "glow-mnist@1, sha256 ab"}
    run = tiny.finished_run(tmp_path / "started", preset, **started)
    with pytest.raises(PresetError, match=r"the run's `training` must be the preset's .*'start': 'glow-mnist@1'"):
        publish.publish(untrained, run)
    tiny.edit(untrained, lambda record: record["training"][0].update(start="glow-mnist@1"))
    published = publish.publish(untrained, run)
    assert published.training[0]["start"] == "glow-mnist@1" == published.provenance["init_from"].partition(",")[0]


def test_more_draws_are_a_tighter_bound_and_told(altered, tmp_path, monkeypatch):
    run = tiny.finished_run(tmp_path / "run", read_preset(altered))
    publish.publish(altered, run)
    with pytest.raises(CheckpointError, match="compared by the 1 noise draws per example of its card, got 4"):
        publish.publish(altered, run, draws=4)
    preset = publish.publish(altered, run, draws=4, force=True)
    images, _ = flowzoo.data.fixture("fashion_mnist")
    bound = flowzoo.load(altered).bits_per_dim(images[:64], samples=4).numpy().mean()
    np.testing.assert_allclose(preset.metrics["bits_per_dim"]["value"], bound, rtol=1e-6)
    assert preset.metrics["bits_per_dim"]["draws"] == preset.metrics["fixture_bits_per_dim"]["draws"] == 4
    assert headline_text(preset, "").endswith(" bits/dim (4 draws)")
    monkeypatch.setattr("flowzoo.zoo.verify.official_test", publish.official_test)
    [again] = [check for check in verify(altered).checks if check.name == "bits_per_dim"]
    assert again.ok and "draws 4" in again.protocol


def test_more_draws_of_what_is_no_bound_are_refused(altered, tmp_path, monkeypatch):
    before = altered.read_text()
    run = tiny.finished_run(tmp_path / "run", read_preset(altered))
    with monkeypatch.context() as patched:
        patched.setattr("flowzoo.measure.likelihood_unit.UnitLikelihood.published", {"bits_per_dim"})
        with pytest.raises(ValueError, match="has log_likelihood_unit, which is of one"):
            publish.publish(altered, run, draws=2, force=True)
    exact = build(read_preset(altered))
    exact.kind = "exact"
    monkeypatch.setattr(publish, "build", lambda preset: exact)
    with pytest.raises(ValueError, match=r"`draws` must be 1, got 2: the likelihood of .* is not a lower bound"):
        publish.publish(altered, run, draws=2)
    assert altered.read_text() == before


def test_only_equal_numbers_of_examples_are_compared(altered, tmp_path):
    run = tiny.finished_run(tmp_path / "run", read_preset(altered))
    before = altered.read_text()
    with pytest.raises(ValueError, match=r"`examples` must be None without `force`, got 8: .*--force"):
        publish.publish(altered, run, examples=8)
    assert altered.read_text() == before
    assert publish.publish(altered, run, examples=8, force=True).metrics["bits_per_dim"]["examples"] == 8
    with pytest.raises(CheckpointError, match="compared on the 8 test examples of its card, got 64"):
        publish.publish(altered, run)


def test_a_data_set_of_which_nothing_is_shipped(tmp_path):
    record = records.untrained() | {"config": tiny.CONFIG}
    record["dataset"]["name"] = "celeb_a_subset"
    path = records.write(tmp_path / "tiny.json", record)
    preset = publish.publish(path, tiny.finished_run(tmp_path / "run", read_preset(path)))
    assert set(preset.metrics) == {"bits_per_dim", "log_det_error"} and preset.other_data_set is None
    assert "samples of the flow at T = 0.7" in preset.metrics["log_det_error"]["note"]
    assert preset.metrics["log_det_error"]["value"] < 0.05


def test_keys_that_a_recipe_leaves_out_are_their_defaults(tmp_path):
    whole = records.untrained() | {"config": tiny.CONFIG}
    short = whole | {"training": [{key: value for key, value in whole["training"][0].items() if key != "seed"}]}
    path = records.write(tmp_path / "tiny.json", short)
    published = publish.publish(path, tiny.finished_run(tmp_path / "run", Preset.from_dict(whole)))
    assert published.training == whole["training"]


def test_a_revision_is_not_published_over(tmp_path):
    with pytest.raises(PresetError, match="published by its name alone, got 'glow-mnist@1'"):
        publish.publish("glow-mnist@1", tmp_path)
