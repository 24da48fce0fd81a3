"""The data of a training: the turn to the split it finishes on, and the stand-ins of a smoke run."""

import json

import numpy as np
import pytest

from flowzoo import data, training
from flowzoo.core.errors import PresetError
from flowzoo.data import arrays
from flowzoo.record.recipe import Recipe
from flowzoo.training.sources import Sources
from tests.training import toy

FACES = {
    "family": "realnvp",
    "config": {"event_shape": [64, 64, 3], "bits": 5, "levels": 1, "depth": 1, "hidden": 2, "blocks": 1, "seed": 0},
    "dataset": {"name": "celeb_a_subset", "bits": 5, "labels": False},
}
RECIPE = {"batch_size": 8, "steps": 12, "finish_split": "train_official", "finish_steps": 5, "adapt_examples": 16}


@pytest.fixture
def marked(monkeypatch):
    """`flowzoo.data.load` reads one-pixel images: 50 of 0 ... 49 in "train", 20 of 100 ... 119 in "train_official"."""

    def read(name, split, data_dir=None):
        first, count = {"train": (0, 50), "train_official": (100, 20), "validation": (200, 30)}[split]
        return np.arange(first, first + count, dtype=np.uint8).reshape(-1, 1, 1, 1), None

    monkeypatch.setattr(arrays, "read", read)


def sources(**recipe):
    preset = toy.preset({**FACES, "dataset": FACES["dataset"] | {"bits": 8}}, **(RECIPE | recipe))
    return Sources(preset, Recipe.from_dict(preset.training[0]))


def batches(source, start, count):
    return [batch.ravel().tolist() for batch in source.batches(start).take(count).as_numpy_iterator()]


def test_the_last_steps_draw_from_the_finish_split(marked):
    steps = batches(sources(), 0, 16)
    assert all(max(step) < 50 for step in steps[:7])
    assert all(min(step) >= 100 for step in steps[7:])  # and it doesn't end at `steps`
    assert all(len(set(step)) == len(step) == 8 for step in steps)
    assert len({value for step in steps[7:9] for value in step}) == 16  # an epoch of its own
    assert steps[:7] == batches(sources(finish_split="", finish_steps=0), 0, 7)
    assert max(max(step) for step in batches(sources(finish_split="", finish_steps=0), 0, 16)) < 50
    assert sources().first(16)[0].max() < 50


@pytest.mark.parametrize("start", [1, 6, 7, 8, 11])
def test_any_step_can_be_the_first(marked, start):
    assert batches(sources(), start, 14 - start) == batches(sources(), 0, 14)[start:]


def test_a_finish_may_be_everything(marked):
    assert min(min(step) for step in batches(sources(finish_steps=12), 0, 12)) >= 100


def test_a_recipe_that_does_not_suit_the_data_is_refused(marked):
    with pytest.raises(PresetError, match=r"the recipe does not suit .*`drop_remainder`"):
        sources(batch_size=10**6)


def test_a_pause_in_the_finish_changes_nothing(monkeypatch, tmp_path):
    images, _ = data.fixture("fashion_mnist")

    def read(name, split, data_dir=None):
        return (255 - images if split == "train_dark" else images), None

    monkeypatch.setattr(arrays, "read", read)
    monkeypatch.setattr(data.DatasetSpec, "training_splits", ["train", "train_dark"])
    preset = toy.preset(toy.IMAGES, steps=8, finish_split="train_dark", finish_steps=5)
    whole = training.run(preset, tmp_path / "whole")
    for pause in (3, 6):  # where the finish begins, and within it
        training.run(preset, tmp_path / "parts", max_steps=pause)
    parts = training.run(preset, tmp_path / "parts")
    for got, expected in zip(parts.flow.get_weights(), whole.flow.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    plain = training.run(toy.preset(toy.IMAGES, steps=8), tmp_path / "plain")
    differences = [np.abs(a - b).max() for a, b in zip(plain.flow.get_weights(), whole.flow.get_weights(), strict=True)]
    assert max(differences) > 1e-3


def test_a_smoke_run_without_a_fixture_trains_on_noise(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nothing"))
    preset = toy.preset(FACES, **RECIPE)
    with pytest.raises(data.MissingDataError, match=r"Run: python tools/fetch_data.py --dataset=celeb_a_subset$"):
        training.run(preset, tmp_path / "real")
    result = training.run(preset, tmp_path / "smoke", smoke=True)
    assert result.finished and np.isfinite(result.best["value"])
    assert "this smoke run uses noise, as none of it may be shipped" in caplog.text
    assert json.loads((tmp_path / "smoke" / "result.json").read_text())["fixture"] is True
    again = Sources(preset, Recipe.from_dict(preset.training[0]).smoke(), fixture=True)
    x, labels = again.first(16)
    assert (x.shape, x.dtype, x.max() <= 31, labels) == ((16, 64, 64, 3), np.uint8, True, None)
    assert np.array_equal(x, Sources(preset, again.recipe, fixture=True).first(16)[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": FACES["dataset"] | {"labels": True}}, r"`dataset\.labels` must be false for 'celeb_a_subset'"),
        ({"training": RECIPE | {"finish_split": "test"}}, r"never trained on"),
        ({"training": RECIPE | {"finish_split": "validation"}}, r"never trained on"),
        (
            {"training": RECIPE | {"finish_split": "official"}},
            r"`training\[0\]\.finish_split` must be one of \['train', ",
        ),
    ],
)
def test_what_the_data_set_has_not_is_refused(change, message):
    preset = type(toy.preset(FACES)).from_dict(toy.preset(FACES).to_dict() | change)
    with pytest.raises(PresetError, match=message):
        Sources(preset, Recipe.from_dict(preset.training[0]))
