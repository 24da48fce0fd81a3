"""A preset of a target with known density from end to end: train, publish, verify, plot; the divergence on the card."""

import dataclasses
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flowzoo
from flowzoo import training
from flowzoo.cards.card import summary
from flowzoo.cards.page import markdown_page
from flowzoo.cli.main import BAD_INPUT, OK, main
from flowzoo.data import arrays, specs
from flowzoo.hub.presets import read_preset
from flowzoo.measure.kl_divergence import KLDivergence
from flowzoo.measure.subject import Subject
from flowzoo.zoo import publish
from tests.record import records
from tests.zoo import tiny

NAME = "rezende_u1"
CHANGES = {
    "family": "planar",
    "config": {"event_shape": [2], "depth": 2, "seed": 0},
    "dataset": {"name": NAME, "bits": 0, "labels": False},
}


@pytest.fixture(scope="module", autouse=True)
def few():
    """Fewer examples."""
    fewer = dataclasses.replace(flowzoo.data.spec(NAME), sizes={"train": 500, "validation": 100, "test": 1000})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(specs._SPECS, NAME, fewer)
        yield


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The path of a preset trained for two steps and published."""
    folder = tmp_path_factory.mktemp("targets")
    path = records.write(folder / "tiny.json", records.untrained() | CHANGES)
    training.run(read_preset(path), folder / "run")
    publish.publish(path, folder / "run")
    return path


def test_the_divergence_of_a_normal_is_that_of_quadrature():
    flow = flowzoo.create("realnvp", event_shape=(2,), depth=1, hidden=4)  # starts as the standard normal
    target, x = flowzoo.data.density(NAME), arrays.read(NAME, "test")[0]
    middles = 0.02 * (np.arange(400) + 0.5) - 4
    grid = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
    log_p, log_q = target.log_prob(grid), -0.5 * (grid**2).sum(axis=1) - np.log(2 * np.pi)
    expected = (np.exp(log_p) * (log_p - log_q)).sum() * 0.02**2
    preset = types.SimpleNamespace(dataset={"name": NAME, "bits": 0}, published=[])
    found = KLDivergence().measure(Subject(preset, flow, {"test": (x, None)}))
    assert 0 < found.standard_error < 0.05 and abs(found.value - expected) < 4 * found.standard_error


def test_the_divergence_is_on_the_card(published):
    preset = flowzoo.card(published)
    x = arrays.read(NAME, "test")[0]
    terms = flowzoo.data.density(NAME).log_prob(x) - flowzoo.load(published).score(x)
    card = preset.metrics["kl_divergence"]
    assert card["value"] == pytest.approx(terms.mean(), rel=1e-5) and card["value"] > 0
    assert card["standard_error"] == pytest.approx(terms.std(ddof=1) / 1000**0.5, rel=1e-4)
    assert (card["split"], card["examples"], card["kind"]) == ("test", 1000, "exact")
    value = f"{card['value']:.4f} ± {card['standard_error']:.4f}"
    text = markdown_page(preset)
    assert f"| kl_divergence | {value} |" in text and f"  kl, nats   {value} on" in summary(preset)
    assert (
        "![density of the flow, its samples at T = 1, and the true density](../../checkpoints/tiny/samples.png)" in text
    )
    assert "fetch_data" not in text and "python tools/train.py --preset=tiny" in text


def test_it_verifies_and_a_lie_is_found(published, tmp_path):
    altered = tiny.copy(published, tmp_path)
    report = flowzoo.verify(altered)
    assert report.ok and [check.name for check in report.checks[:2]] == ["log_likelihood", "kl_divergence"], report
    assert flowzoo.verify(altered, examples=300).ok

    def lie(record):
        record["metrics"]["kl_divergence"]["value"] -= 0.002

    off = [check.name for check in flowzoo.verify(tiny.edit(altered, lie)).checks if not check.ok]
    assert off == ["kl_divergence"]


def test_plot(published, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["plot", str(published), "--count=100", "--temperature=0.7", "--seed=3"]) == OK
    assert capsys.readouterr().out == "100 samples of tiny at T = 0.7, seed 3: tiny.png\n"
    for path in (Path("tiny.png"), published.with_suffix("") / "samples.png"):
        with Image.open(path) as image:
            assert image.format == "PNG" and image.width > 2.5 * image.height  # three panels
        assert path.stat().st_size < 200_000
    for wrong, message in [
        ([str(published), "--out=x.jpg"], "--out must end in .png, got 'x.jpg'"),
        ([str(published), str(published)], "WHAT must be one preset, got 2. Draw one at a time, or pass --curves."),
        ([str(published), "--label=1"], "condition"),
        ([str(published), "--temperature=-1"], "temperature"),
    ]:
        assert main(["plot", *wrong]) == BAD_INPUT
        assert message in capsys.readouterr().err
