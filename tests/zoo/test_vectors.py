"""A preset of continuous vectors from end to end: train, publish, load, verify, cards; everything in nats."""

import json

import numpy as np
import pytest
from absl import logging

import flowzoo
from flowzoo import training
from flowzoo.cards.card import summary
from flowzoo.cards.markdown import preset_table
from flowzoo.cards.page import markdown_page
from flowzoo.core.errors import CheckpointError, PresetError
from flowzoo.data import arrays
from flowzoo.hub.presets import read_preset
from flowzoo.record.preset import Preset
from flowzoo.record.recipe import Recipe
from flowzoo.training.sources import Sources
from flowzoo.zoo import publish
from tests.record import records
from tests.zoo import tiny

CONFIG = {"event_shape": [63], "depth": 2, "hidden": 8, "blocks": 1, "seed": 0}
CHANGES = {"family": "realnvp", "config": CONFIG, "dataset": {"name": "bsds300", "bits": 0, "labels": False}}


@pytest.fixture(scope="module", autouse=True)
def small():
    """Noise with a spread of 0.1 stands for `bsds300`."""

    def read(name, split, data_dir=None):
        seed, count = {"train": (0, 200), "validation": (1, 40), "test": (2, 100)}[split]
        return (0.1 * np.random.default_rng(seed).standard_normal((count, 63))).astype("float32"), None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "read", read)
        yield


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The path of a preset trained for two steps and published."""
    folder = tmp_path_factory.mktemp("vectors")
    path = records.write(folder / "tiny.json", records.untrained() | CHANGES)
    result = training.run(read_preset(path), folder / "run")
    assert result.finished and result.best["metric"] == "nats"
    publish.publish(path, folder / "run")
    return path


@pytest.fixture
def altered(published, tmp_path):
    return tiny.copy(published, tmp_path)


def test_what_is_published(published):
    preset = flowzoo.card(published)
    assert set(preset.metrics) == {"log_likelihood", "log_det_error"}
    assert set(preset.files) == {"model.weights.h5", "samples.png", "history.csv"}
    assert {path.name for path in published.with_suffix("").iterdir()} == set(preset.files)
    assert preset.files["samples.png"]["bytes"] < 200_000
    x = arrays.read("bsds300", "test")[0]
    scores = flowzoo.load(published).score(x).astype(np.float64)
    card = preset.metrics["log_likelihood"]
    assert card["value"] == pytest.approx(scores.mean(), rel=1e-6)
    assert card["standard_error"] == pytest.approx(scores.std(ddof=1) / 10, rel=1e-4)
    assert (card["split"], card["examples"], card["kind"]) == ("test", 100, "exact")
    assert preset.certificate["out_of_distribution"]["inputs"] == "the first 64 of the test split times 5"
    measured = training.evaluate(flowzoo.load(published), preset.dataset)
    assert (measured["metric"], measured["bits"]) == ("log_likelihood", 0)
    assert measured["value"] == pytest.approx(card["value"])


def test_it_verifies_and_a_lie_is_found(altered):
    report = flowzoo.verify(altered)
    assert report.ok, str(report)
    assert report.checks[0].name == "log_likelihood" and report.checks[0].tolerance == 0.01
    assert flowzoo.verify(altered, examples=50).ok
    tiny.edit(altered, lambda record: record["metrics"]["log_likelihood"].update(value=1.0))
    assert [check.name for check in flowzoo.verify(altered).checks if not check.ok] == ["log_likelihood"]


def test_higher_is_better(altered):
    run = tiny.finished_run(altered.parent / "run", flowzoo.card(altered))
    better = flowzoo.load(altered)
    better.save_weights(run / "best.weights.h5")
    assert publish.publish(altered, run).revision == 2
    tiny.random_flow(flowzoo.card(altered), scale=0.5).save_weights(run / "best.weights.h5")
    with pytest.raises(CheckpointError, match=r"is published with .* nats, this run has .*--force"):
        publish.publish(altered, run)


def test_cards_show_nats(published):
    preset = flowzoo.card(published)
    value = preset.metrics["log_likelihood"]["value"]
    assert f"{value:.3f} nats |" in preset_table([preset])
    assert f"  nats       {value:.4f} ± " in summary(preset) and "bits/dim" not in summary(preset)
    assert "data       bsds300, continuous" in summary(preset)
    text = markdown_page(preset)
    assert f"| log_likelihood | {value:.4f} ± " in text and "continuous data, T = 1" in text
    assert "![pair plot of the first features of samples at T = 1](" in text and "interpolations.png" not in text


def test_a_smoke_run_needs_no_data(published, tmp_path, monkeypatch, caplog):
    def missing(name, split, data_dir=None):
        raise flowzoo.data.MissingDataError("not here")

    monkeypatch.setattr(arrays, "read", missing)
    logging.set_verbosity(logging.WARNING)
    preset = flowzoo.card(published)
    sources = Sources(preset, Recipe.from_dict(preset.training[0]).smoke(), fixture=True)
    assert "this smoke run uses noise, as none of it may be shipped" in caplog.text
    batch = next(iter(sources.batches(0))).numpy()
    assert batch.shape[1:] == (63,) and batch.dtype == np.float32
    assert sources.first(8)[0].shape == (8, 63)
    report = flowzoo.verify(published)
    assert [check.name for check in report.checks if not check.ok] == ["log_likelihood"]
    json.dumps(report.to_dict(), allow_nan=False)


@pytest.mark.parametrize(("name", "bits", "wanted"), [("bsds300", 8, r"0 \(continuous\)"), ("mnist", 0, "1 to 8")])
def test_bits_that_the_data_set_has_not_are_refused(published, name, bits, wanted):
    record = flowzoo.card(published).to_dict() | {"dataset": {"name": name, "bits": bits, "labels": False}}
    record["metrics"] = record["metrics"] | {"bits_per_dim": record["metrics"]["log_likelihood"]}
    preset = Preset.from_dict(record)
    with pytest.raises(PresetError, match=rf"`dataset\.bits` must be {wanted} for '{name}', got {bits}"):
        Sources(preset, Recipe.from_dict(preset.training[0]))
