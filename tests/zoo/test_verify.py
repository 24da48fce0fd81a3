"""Verify: an honest card holds, and a number that is off is found."""

import dataclasses
import json
import math
import sys

import pytest

import flowzoo
from flowzoo.cli.main import BAD_INPUT, CHECK_FAILED, OK, main
from flowzoo.core.errors import CheckpointError, PresetError
from flowzoo.measure.certificate import Certificate
from flowzoo.measure.measured import Measured
from flowzoo.record.preset import Preset
from flowzoo.zoo import verify
from flowzoo.zoo.verify import Check
from tests.record import records
from tests.zoo import tiny


def named(report):
    return {check.name: check for check in report.checks}


def test_an_honest_card_holds_on_the_shipped_images(published, tmp_path):
    report = flowzoo.verify(published, data_dir=str(tmp_path))
    assert report.ok, str(report)
    assert "256 test images shipped with flowzoo" in report.data
    assert "fetch_data.py" in report.data
    round_trips = {
        f"{key}, {kind}"
        for key in ("reconstruction_error", "log_det_error", "non_finite_rate")
        for kind in ("test", "sampled", "out of distribution")
    }
    likelihoods = {"bits_per_dim", "bits_per_dim of the test split", "bits_per_dim of mnist"}
    assert set(named(report)) == likelihoods | round_trips | {"log_det_error"}
    assert named(report)["bits_per_dim of the test split"].paper == 2.9
    table = str(report).splitlines()
    assert table[1].split() == ["paper", "card", "now", "difference", "allowed"]
    card = flowzoo.card(published).metrics["bits_per_dim"]["value"]
    assert any(line.startswith("ok   bits_per_dim of the test split") and f"{card:.5g}" in line for line in table)
    assert report.to_dict()["ok"] is True
    assert "every number holds" in str(report)


def test_a_wrong_number_is_found(altered, tmp_path):
    def lie(record):
        record["metrics"]["fixture_bits_per_dim"]["value"] -= 0.002
        record["metrics"]["bits_per_dim"]["value"] -= 0.1

    report = flowzoo.verify(tiny.edit(altered, lie), data_dir=str(tmp_path))
    assert not report.ok
    assert [check.name for check in report.checks if not check.ok] == ["bits_per_dim", "bits_per_dim of the test split"]
    assert "OFF  bits_per_dim" in str(report)
    with pytest.raises(CheckpointError, match="is not renewed, as something is off: bits_per_dim"):
        verify.renew(altered, report)


def test_the_official_split_is_used_when_it_is_there(published, monkeypatch):
    images, _ = flowzoo.data.fixture("fashion_mnist")
    monkeypatch.setattr("flowzoo.zoo.verify.official_test", lambda preset, data_dir: (images[:64], None))
    report = flowzoo.verify(published)
    assert report.data == "the official test split"
    assert report.ok, str(report)
    assert "same as the card's" in named(report)["bits_per_dim"].protocol

    fewer = named(flowzoo.verify(published, examples=32))
    assert "bits_per_dim" not in fewer
    assert "32 examples" in fewer["bits_per_dim of the test split"].protocol


def test_nan_never_passes():
    assert not Check("x", 0.0, math.nan, math.inf, "").ok
    assert not Check("x", math.nan, 0.0, 1.0, "").ok


def test_a_large_jacobian_is_left_out_and_said_so(published, tmp_path, monkeypatch):
    monkeypatch.setattr("flowzoo.measure.log_det_error.LARGE", 783)
    report = flowzoo.verify(published, data_dir=str(tmp_path))
    assert report.ok and "log_det_error" not in named(report)
    assert "784 dimensions takes long; --exhaustive" in str(report) and "that was measured holds" in str(report)
    assert report.to_dict()["left_out"] == list(report.left_out)
    assert "log_det_error" in named(flowzoo.verify(published, data_dir=str(tmp_path), exhaustive=True))


def test_nothing_to_verify(altered):
    tiny.edit(altered, lambda record: [record.pop(key) for key in ("files", "metrics")])
    with pytest.raises(CheckpointError, match="no measured numbers yet"):
        flowzoo.verify(altered)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("count", [1, 2])
def test_an_honest_card_holds_on_very_few_examples(published, monkeypatch, count):
    images, _ = flowzoo.data.fixture("fashion_mnist")
    monkeypatch.setattr("flowzoo.zoo.verify.official_test", lambda preset, data_dir: (images[:64], None))
    report = flowzoo.verify(published, examples=count)
    assert report.ok, str(report)
    card = flowzoo.card(published).metrics["bits_per_dim"]
    expected = 3 * card["standard_error"] * math.sqrt(1 + 64 / count)
    assert named(report)["bits_per_dim of the test split"].tolerance == pytest.approx(expected)


def test_the_certificate_of_an_older_card_is_renewed(altered, tmp_path):
    whole = flowzoo.card(altered)

    def age(record):
        del record["certificate"], record["other_data_set"]
        record["metrics"] |= {"reconstruction_error": {"value": 1e-6, "note": ""}}

    report = flowzoo.verify(tiny.edit(altered, age), data_dir=str(tmp_path))
    assert report.ok and named(report)["reconstruction_error, test"].card is None
    assert verify.renew(altered, report) == flowzoo.card(altered)
    assert set(flowzoo.card(altered).metrics) == set(whole.metrics)
    for kind, entry in flowzoo.card(altered).certificate.items():
        assert set(entry) == set(whole.certificate[kind]) and entry["inputs"] == whole.certificate[kind]["inputs"]
    off = verify.Check("log_det_error, sampled", 0.0, 9.0, 0.05, "", renewed=True)  # the card must say so
    assert verify.renew(altered, dataclasses.replace(report, checks=(off,))) == flowzoo.card(altered)
    again, before = (card.other_data_set["other"]["value"] for card in (flowzoo.card(altered), whole))
    assert again == pytest.approx(before)
    with pytest.raises(PresetError, match="a revision never changes"):
        verify.renew("glow-mnist@1", report)


def test_several_presets_by_the_command(capsys, monkeypatch):
    good, off = (verify.Check("bits_per_dim", 3.0, value, 0.1, "p", 3.0, 2.9) for value in (3.0, 4.0))
    reports = {"a": verify.Report("a", "test", (good,)), "b": verify.Report("b", "test", (off,))}
    monkeypatch.setattr(flowzoo, "verify", lambda name, **_: reports[name], raising=False)
    monkeypatch.setattr(flowzoo, "list_presets", lambda weights: ["a", "b"], raising=False)
    assert main(["verify", "a"]) == OK
    assert main(["verify", "a", "b"]) == main(["verify", "--all", "--json"]) == CHECK_FAILED
    out = capsys.readouterr().out
    assert "OFF  bits_per_dim         2.9           3           4     1.0e+00         0.1  p" in out
    assert [report["ok"] for report in json.loads(out[out.index("[") :])] == [True, False]
    assert main(["verify"]) == main(["verify", "a", "--all"]) == BAD_INPUT
    assert "name presets or pass --all, and not both" in capsys.readouterr().err


def test_a_damaged_preset_does_not_end_the_verification_of_others(capsys, monkeypatch):
    good = verify.Check("bits_per_dim", 3.0, 3.0, math.inf, "p", 3.0)

    def measured(name, *, progress, **_):
        assert progress
        if name == "bad":
            raise CheckpointError("bad: model.weights.h5\nis missing")
        return verify.Report(name, "test", (good,))

    monkeypatch.setattr(flowzoo, "verify", measured, raising=False)
    assert main(["verify", "a", "bad", "b"]) == CHECK_FAILED
    out = capsys.readouterr().out
    assert "\nbad: failed: bad: model.weights.h5 is missing\nb, measured on test\n" in out
    assert main(["verify", "a", "bad", "b", "--json"]) == CHECK_FAILED
    out = capsys.readouterr().out
    found = json.loads(out, parse_constant=pytest.fail)  # no Infinity
    assert [report["ok"] for report in found] == [True, False, True] and "is missing" in found[1]["error"]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["verify", "a", "b"]) == OK and "presets: " in capsys.readouterr().err  # a bar, on terminals only
    assert main(["verify", "bad"]) == BAD_INPUT  # alone it is an error as any

    def refuse(name, report):
        raise CheckpointError("not renewed")

    monkeypatch.setattr(verify, "renew", refuse)
    assert main(["verify", "a", "--update", "--json"]) == CHECK_FAILED
    found = json.loads(capsys.readouterr().out)
    assert len(found["checks"]) == 1 and found["error"] == "not renewed" and not found["ok"]


@pytest.mark.parametrize(
    "lost",
    [
        lambda metrics: metrics.pop("fixture_bits_per_dim"),
        lambda metrics: metrics["fixture_bits_per_dim"].pop("draws"),
    ],
)
def test_a_card_without_the_number_that_is_measured(altered, tmp_path, lost):
    tiny.edit(altered, lambda record: lost(record["metrics"]))
    with pytest.raises(
        (CheckpointError, PresetError),
        match=r"`metrics\.fixture_bits_per_dim` is missing|key `metrics\.fixture.*draws`",
    ):
        flowzoo.verify(altered, data_dir=str(tmp_path))


def test_out_of_distribution_the_card_is_the_bound():
    card = {kind: dict(records.ROUND_TRIP) for kind in ("sampled", "out_of_distribution")}
    worse = {kind: entry | {"reconstruction_error": 0.5} for kind, entry in card.items()}
    for stated, expected in ((card, [False, True, True] * 2), (worse, [False, True, True] + [True] * 3)):
        preset = Preset.from_dict(records.published() | {"certificate": stated})
        checks = Certificate().compare(preset, Measured(worse))
        assert [check.ok for check in checks] == expected
        assert checks[0].difference == pytest.approx(0.5 - stated["sampled"]["reconstruction_error"])


@pytest.fixture
def faces(altered):
    """A preset of a data set of which nothing is shipped, as `publish` leaves it."""

    def change(record):
        record["dataset"]["name"] = "celeb_a_subset"
        del record["metrics"]["fixture_bits_per_dim"]

    return tiny.edit(altered, change)


def test_without_any_image_the_likelihood_is_missing_not_fine(faces, tmp_path):
    report = flowzoo.verify(faces, data_dir=str(tmp_path))
    assert [check.name for check in report.checks if not check.ok] == ["bits_per_dim"]
    assert named(report)["bits_per_dim"].measured is None
    assert "not measured" in str(report).split("OFF  bits_per_dim")[1].splitlines()[0]
    assert f"Run: python tools/fetch_data.py --dataset=celeb_a_subset --data_dir={tmp_path}" in str(report)
    assert "reconstruction_error, sampled" in named(report) and "reconstruction_error, test" not in named(report)
    assert "the certificate of test inputs: the data set is not here" in report.left_out
    with pytest.raises(CheckpointError, match=r"something is off: bits_per_dim, the certificate of test inputs"):
        verify.renew(faces, report)
    json.dumps(report.to_dict(), allow_nan=False)


def test_with_the_data_set_no_shipped_image_is_needed(faces, monkeypatch):
    images, _ = flowzoo.data.fixture("fashion_mnist")
    monkeypatch.setattr("flowzoo.zoo.verify.official_test", lambda preset, data_dir: (images[:64], None))
    report = flowzoo.verify(faces)
    assert report.ok, str(report)
    assert len(report.checks) == 11
