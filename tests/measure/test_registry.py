"""Every number of a card comes from one measurement, and is written as it was read."""

import dataclasses
import json

import pytest

import flowzoo
from flowzoo.cards import card
from flowzoo.cards.page import markdown_page
from flowzoo.core.errors import PresetError
from flowzoo.hub.presets import json_path, list_presets, read_preset
from flowzoo.measure import registry
from flowzoo.measure.likelihood import BitsPerDim
from flowzoo.measure.measured import MEAN, Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.measure.registry import MEASUREMENTS, headline, require_measurements
from flowzoo.measure.subject import Subject
from flowzoo.record.preset import Preset
from flowzoo.zoo import publish, verify
from tests.record import records
from tests.zoo import tiny


@pytest.mark.parametrize("name", list_presets())
def test_every_preset_is_written_as_it_was_read(name):
    preset, text = read_preset(name), json_path(name).read_text(encoding="utf-8")
    assert preset.to_json() == text
    named = {one.name: one for one in MEASUREMENTS}
    for key, entry in (preset.metrics or {}).items():  # none without a measurement, and each writes it as it is
        rest = {fact: value for fact, value in entry.items() if fact not in ("value", "standard_error")}
        again = Measured(entry["value"], entry.get("standard_error"), rest)
        assert json.dumps(named[key].recorded(again)) == json.dumps(named[key].entry(preset))
    assert headline(preset).entry(preset) or not preset.trained


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (
            lambda r: r["metrics"]["bits_per_dim"].update(draws=0),
            r"`metrics\.bits_per_dim\.draws` must be an integer",
        ),
        (lambda r: r["metrics"]["bits_per_dim"].pop("seed"), r"missing key `metrics\.bits_per_dim\.seed`"),
        (
            lambda r: r["certificate"]["test"].update(non_finite_rate=2),
            r"`certificate\.test\.non_finite_rate` must be a number from 0 to 1, got 2",
        ),
        (lambda r: r["certificate"]["test"].update(foo=1), r"unknown key `certificate\.test\.foo`"),
    ],
)
def test_a_card_that_no_measurement_wrote_is_refused_by_path(tmp_path, alter, message):
    record = records.published()
    alter(record)
    with pytest.raises(PresetError, match=message):
        require_measurements(Preset.from_dict(record))
    with pytest.raises(PresetError, match=message):
        flowzoo.card(records.write(tmp_path / "tiny.json", record))


class Brightness(Measurement):
    """A new number: the mean of samples."""

    name, unit, label, tolerance, form = "brightness", "levels", "bright", 1e-3, MEAN
    meaning = "brightness is the mean of samples."

    def applies(self, subject):
        return True

    def measure(self, subject):
        means = subject.flow.sample(8, seed=subject.seed).numpy().mean(axis=(1, 2, 3))
        return Measured.mean(means, **subject.protocol(subject.split) | {"examples": 8})


def test_a_new_number_is_one_line_in_the_registry(published, tmp_path, monkeypatch):
    few = (BitsPerDim(), Brightness())  # the others have tests of their own
    for module in (registry, publish, verify, card):
        monkeypatch.setattr(module, "MEASUREMENTS", few)
    images = flowzoo.data.fixture("fashion_mnist")[0][:8], None
    monkeypatch.setattr(verify, "official_test", lambda preset, data_dir: images)
    path = tiny.copy(published, tmp_path)
    preset, flow = read_preset(path), flowzoo.load(path)
    preset = dataclasses.replace(preset, **publish.measured(Subject(preset, flow, {"test": images}, weights="raw")))
    value = preset.metrics["brightness"]["value"]
    assert value == pytest.approx(flow.sample(8, seed=0).numpy().mean())
    assert f"  bright     {value:.4f} ± " in card.summary(preset)
    assert f"| brightness | {value:.4f} ± " in markdown_page(preset)
    for now, ok in ((value, True), (value + 1, False)):
        entry = preset.metrics["brightness"] | {"value": now}
        dataclasses.replace(preset, metrics=preset.metrics | {"brightness": entry}).write(path)
        report = flowzoo.verify(path)
        assert {check.name: check.ok for check in report.checks} == {"bits_per_dim": True, "brightness": ok}
