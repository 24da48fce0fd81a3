"""`train`, `evaluate` and `diagnose`: what they hand to the library, and exit codes for what comes back."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from absl import logging

from flowzoo import training
from flowzoo.cli.main import BAD_INPUT, CHECK_FAILED, OK, main
from flowzoo.core.space import Condition, Space
from flowzoo.measure import diagnose
from flowzoo.measure.diagnose import LayerReport, Report
from flowzoo.measure.latents import diagnose as latents
from flowzoo.measure.latents.report import LatentReport
from flowzoo.training.distributed.launch import INTERRUPTED, PEER_LOST
from flowzoo.zoo import load

PRESET = "planar-rezende-u1"
RESULT = SimpleNamespace(stopped="max_steps", step=7, best={"value": 1.0})


@pytest.fixture
def run(monkeypatch):
    """What `training.run` was called with; `run.result` is returned, or raised."""
    calls = SimpleNamespace(result=RESULT)

    def fake(preset, workdir, **options):
        calls.preset, calls.workdir, calls.options = preset.name, workdir, options
        if isinstance(calls.result, Exception):
            raise calls.result
        return calls.result

    monkeypatch.setattr(training, "run", fake)
    for name in ("use_absl_handler", "set_verbosity"):  # they would outlast the test
        monkeypatch.setattr(logging, name, lambda *_: None)
    return calls


def test_train_hands_its_options_on(run, capsys):
    flags = ["--max-steps=7", "--smoke", "--init-from=x", "--backprop=remat", "--accumulate=2", "--save-minutes=0.5"]
    assert main(["train", PRESET, "--workdir=run", *flags]) == OK
    assert (run.preset, run.workdir) == (PRESET, "run")
    assert run.options == {
        "max_steps": 7,
        "max_minutes": None,
        "save_minutes": 0.5,
        "smoke": True,
        "deterministic": False,
        "init_from": "x",
        "backprop": "remat",
        "accumulate": 2,
        "strategy": None,
        "devices": None,
        "tpu": None,
    }
    assert capsys.readouterr().out == "max_steps at step 7; best validation {'value': 1.0}\n"
    assert main(["train", PRESET, "--workdir=run", "--json"]) == OK
    expected = {"stopped": "max_steps", "step": 7, "best": {"value": 1.0}, "workdir": "run"}
    assert json.loads(capsys.readouterr().out) == expected


@pytest.mark.parametrize(
    ("result", "code", "error"),
    [
        (SimpleNamespace(stopped="signal", step=7, best={}), INTERRUPTED, ""),
        (training.PeerLost("worker 1 is gone"), PEER_LOST, "worker 1 is gone"),
        (training.NonFiniteLoss(3, "loss\nand"), CHECK_FAILED, "flowzoo: failed: "),
        (training.StateError("no state"), CHECK_FAILED, "flowzoo: failed: no state\n"),
        (training.StrategyError("no TPU"), BAD_INPUT, "flowzoo: error: no TPU\n"),
    ],
)
def test_train_has_an_exit_code_for_each_end(run, result, code, error, capsys, caplog):
    run.result = result
    assert main(["train", PRESET, "--workdir=run"]) == code
    assert error in capsys.readouterr().err + caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a preset or --workdir, got neither"),
        ([PRESET, "--workdir=run"], "expected a preset or --workdir, got both"),
        (["--workdir=run"], "no preset file at run/preset.json"),
    ],
)
def test_evaluate_takes_a_preset_or_a_training(arguments, message, capsys):
    assert main(["evaluate", *arguments]) == BAD_INPUT
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_diagnose_reports_and_fails_on_what_is_not_finite(rate, monkeypatch, capsys):
    np.save("x.npy", np.zeros((20, 2), np.float32))
    layer = LayerReport("transform Planar", np.nan if rate else 1e-6, 1e-7, 1.0, 1.0, rate)
    flow = SimpleNamespace(x_space=Space((2,)), condition=Condition(), columns=None, offers=frozenset())
    monkeypatch.setattr(load, "load", lambda name: flow)
    monkeypatch.setattr(diagnose, "diagnose", lambda flow, x, condition, **_: Report((layer,), layer))
    assert main(["diagnose", PRESET, "x.npy", "--json", "--plot=layers.png"]) == (CHECK_FAILED if rate else OK)
    report = json.loads(capsys.readouterr().out)
    assert report["layers"][0]["reconstruction_error"] == (None if rate else 1e-6) and report["rows"] == 16
    assert Path("layers.png").exists()


def test_diagnose_looks_at_the_latents_of_a_model_that_has_some(monkeypatch, capsys):
    np.save("x.npy", np.zeros((300, 2), np.float32))
    flow = SimpleNamespace(x_space=Space((2,)), condition=Condition(), columns=None, offers={"posterior"})
    found = [np.arange(2.0) for _ in dataclasses.fields(LatentReport)[1:]]
    report = dataclasses.replace(LatentReport(50, *found), unit_kl_is="closed form")
    seen = []
    monkeypatch.setattr(load, "load", lambda name: flow)
    monkeypatch.setattr(latents, "diagnose_latents", lambda flow, x, condition, **_: seen.append(len(x)) or report)
    assert main(["diagnose", PRESET, "x.npy", "--json"]) == OK and seen == [256]
    printed = json.loads(capsys.readouterr().out)
    assert printed["active"] == [False, True] and printed["rows"] == 256 and printed["mutual_information"] == 0.5
    report.elbo[0] = np.nan
    assert main(["diagnose", PRESET, "x.npy", "--rows=10"]) == CHECK_FAILED and seen == [256, 10]
    assert "1 of 2 units are active" in capsys.readouterr().out
