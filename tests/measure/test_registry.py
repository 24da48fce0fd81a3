"""Every number of a card comes from one measurement, and is written as it was read."""

import dataclasses
import json

import numpy as np
import pytest

import flowzoo
from flowzoo.cards.page import markdown_page
from flowzoo.core.errors import PresetError
from flowzoo.hub.presets import json_path, list_presets, read_preset
from flowzoo.measure import registry
from flowzoo.measure.measured import MEAN, Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.measure.registry import MEASUREMENTS, headline, require_measurements
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
    for module in (registry, publish, verify):
        monkeypatch.setattr(module, "MEASUREMENTS", (*MEASUREMENTS, Brightness()))
    monkeypatch.setattr("flowzoo.cards.card.MEASUREMENTS", (*MEASUREMENTS, Brightness()))
    images = flowzoo.data.fixture("fashion_mnist")[0][:64], None
    monkeypatch.setattr(publish, "official_test", lambda preset, data_dir: images)
    monkeypatch.setattr(verify, "official_test", lambda preset, data_dir: images)
    path = tiny.copy(published, tmp_path)
    preset = publish.publish(path, tiny.finished_run(tmp_path / "run", read_preset(path)), force=True)
    value = preset.metrics["brightness"]["value"]
    assert np.isclose(value, flowzoo.load(path).sample(8, seed=0).numpy().mean()) and "  bright     " in (
        flowzoo.cards.card.summary(preset)
    )
    assert f"| brightness | {value:.4f} ± " in markdown_page(preset)
    report = flowzoo.verify(path)
    [check] = [check for check in report.checks if check.name == "brightness"]
    assert report.ok and check.card == pytest.approx(check.measured)
    wrong = preset.metrics | {"brightness": preset.metrics["brightness"] | {"value": value + 1}}
    dataclasses.replace(preset, metrics=wrong).write(path)
    assert [check.name for check in flowzoo.verify(path).checks if not check.ok] == ["brightness"]
