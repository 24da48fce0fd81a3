"""Several devices and several processes train as one does: real ones, on this machine.

Float32 sums over replicas are in another order than sums over a batch. After the toys' 12 steps, in which Adam moves a
weight by up to 0.02, losses and weights differ by some 1e-7: rtol holds for losses, which are about 1, and atol for
weights, of which some are about 0.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.training import StrategyError
from flowzoo.training.distributed.launch import launch, tf_config
from flowzoo.training.distributed.strategy import connect

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
TOLERANCE = 1e-5
SECONDS = 480  # for all processes of a test, many times what they need

RAGGED = {"batch_size": 7, "clip_norm": 0.05}  # not divisible by 2 or 4; and gradients are clipped at each step


def job(preset, workdir, training=None, signal=None, nan=None, tpu_cores=None, **run):
    run |= {"workdir": str(workdir)}
    options = {"training": training, "signal": signal, "nan": nan, "tpu_cores": tpu_cores}
    return json.dumps({"preset": preset, "run": run} | {k: v for k, v in options.items() if v})


def command(out, jobs):
    return [sys.executable, "-m", "tests.training.distributed", str(out), *jobs]


def two_workers(out, monkeypatch, *jobs, restarts=0):
    monkeypatch.chdir(ROOT)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    # A worker that takes no step for three minutes is ended: nothing here can hang.
    code = launch(command(out, jobs), 2, out.parent / "logs", restarts=restarts, stall_minutes=3, grace_seconds=30)
    assert code == 0, (out.parent / "logs" / "worker-0.log").read_text()[-3000:]


def results(out, i, worker=0):
    with np.load(f"{out}.{i}.{worker}.npz") as file:
        return {name: file[name] for name in file.files}


def assert_close(got, expected, parts=("start/", "last/", "best/")):
    assert got.keys() == expected.keys() and str(got["end"]) == str(expected["end"])
    np.testing.assert_allclose(got["history"], expected["history"], rtol=TOLERANCE)
    for name in got:
        if name.startswith(parts):
            np.testing.assert_allclose(got[name], expected[name], rtol=0, atol=TOLERANCE, err_msg=name)


def assert_equal(got, expected):
    """To the last bit."""
    assert got.keys() == expected.keys()
    ends = [name for name in got if name.startswith(("last/", "best/"))]
    assert [name for name in ends if got[name].tobytes() != expected[name].tobytes()] == []
    # All but the running means: a restart deals them out anew.
    np.testing.assert_allclose(got["history"], expected["history"], rtol=1e-6)


@pytest.fixture(scope="module")
def devices(tmp_path_factory):
    """What several devices make of the toys, and what one makes: {name: result}, and the folder."""
    folder = tmp_path_factory.mktemp("devices")
    jobs = {
        "four": {
            "circle on 4": job("circle", folder / "circle-4", RAGGED, strategy="mirrored", devices=4),
            "circle": job("circle", folder / "circle", RAGGED),
        },
        "two": {
            "images on 2": job("images", folder / "images-2", strategy="mirrored", devices=2),
            "images": job("images", folder / "images"),
            "begun": job("images", folder / "images-tpu", max_steps=5),
            "images on a TPU": job("images", folder / "images-tpu", tpu_cores=2, strategy="tpu", tpu="toy"),
        },
    }
    processes = {
        out: subprocess.Popen(command(folder / out, todo.values()), cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE)
        for out, todo in jobs.items()
    }
    try:
        for process in processes.values():
            errors = process.communicate(timeout=SECONDS)[1].decode()
            assert process.returncode == 0, errors[-3000:]
    finally:
        for process in processes.values():
            process.kill()
    return folder, {name: results(folder / out, i) for out, todo in jobs.items() for i, name in enumerate(todo)}


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """What two workers make of the jobs below; each has a folder of its own, so that nothing is shared by chance."""
    folder = tmp_path_factory.mktemp("workers")
    common = {"strategy": "multiworker", "deterministic": True}
    whole, paused = folder / "whole-{worker}", folder / "paused-{worker}"
    frozen = {"learning_rate": 1e-30, "final_learning_rate": 0.0, "ema": 0, "patience": 2, "validate_every": 2}
    jobs = {
        "whole": job("circle", whole, RAGGED, **common),
        "signal": job("circle", paused, RAGGED, signal=[signal.SIGTERM, 1, 5], **common),
        "resumed": job("circle", paused, RAGGED, **common),
        "another recipe": job("circle", paused, **common),
        "nan": job("circle", folder / "nan-{worker}", nan=3, save_minutes=0, **common),
        "early stopping": job("circle", folder / "early-{worker}", frozen, **common),
    }
    with pytest.MonkeyPatch.context() as monkeypatch:
        two_workers(folder / "out", monkeypatch, *jobs.values())
    ends = {name: [results(folder / "out", i, worker) for worker in (0, 1)] for i, name in enumerate(jobs)}
    return folder, ends


@pytest.mark.parametrize(("several", "one"), [("images on 2", "images"), ("circle on 4", "circle")])
def test_several_devices_equal_one(devices, several, one):
    assert_close(devices[1][several], devices[1][one])
    facts = json.loads((devices[0] / several.replace(" on ", "-") / "result.json").read_text())
    assert (facts["strategy"], facts["replicas"], facts["workers"]) == ("mirrored", int(several[-1]), 1)


def test_a_tpu_runs_the_same_code_and_goes_on_with_a_training_of_one_device(devices):
    # Two CPU devices stand for the cores; tests/training/distributed.py replaces no more than how they are found.
    assert str(devices[1]["begun"]["end"]) == "max_steps at 5"
    assert_close(devices[1]["images on a TPU"], devices[1]["images"], ("last/", "best/"))
    assert json.loads((devices[0] / "images-tpu" / "result.json").read_text())["strategy"] == "tpu"


def test_two_workers_equal_one_device(devices, workers):
    for result in workers[1]["whole"]:  # the start too: what `adapt` set, on the chief's examples
        assert_close(result, devices[1]["circle"])
    for first, second in zip(*(worker.values() for worker in workers[1]["whole"]), strict=True):
        assert first.tobytes() == second.tobytes()


def test_the_chief_alone_writes(workers):
    assert (workers[0] / "whole-0" / "best.json").exists()
    assert list(workers[0].glob("*-1")) == []


def test_a_signal_to_one_worker_stops_all_at_one_step_and_nothing_is_lost(workers):
    assert [str(end["end"]) for end in workers[1]["signal"]] == ["signal at 5"] * 2
    for got, expected in zip(workers[1]["resumed"], workers[1]["whole"], strict=True):
        assert_equal(got, expected)


def test_all_workers_end_for_the_same_reason(workers):
    ends = {name: [str(end["end"]) for end in both] for name, both in workers[1].items()}
    assert ends["whole"] == ["steps at 12"] * 2
    assert ends["early stopping"] == ["early_stopping at 6"] * 2
    chief, other = ends["nan"]
    assert chief.startswith("NonFiniteLoss: The loss is nan at step 4: first not finite: transform")
    assert other.startswith("NonFiniteLoss: The loss or a gradient is not finite at step 4.")
    assert (workers[0] / "nan-0" / "nonfinite" / "step-000000004.npz").exists()
    assert (workers[0] / "nan-0" / "state" / "state-000000003.npz").exists()
    chief, other = ends["another recipe"]
    assert chief.startswith("StateError: ") and "training[0].batch_size: 7 there, 8 asked" in chief
    assert other.startswith("ChiefError: The chief failed with StateError: ") and "7 there, 8 asked" in other


def test_a_killed_worker_costs_nothing(workers, tmp_path, monkeypatch):
    killed = job(
        "circle", tmp_path / "run", RAGGED, signal=[signal.SIGKILL, 1, 6],
        strategy="multiworker", deterministic=True, save_minutes=0,
    )  # fmt: skip
    two_workers(tmp_path / "out", monkeypatch, killed, restarts=1)
    assert (tmp_path / "out.signalled").exists()
    assert (tmp_path / "logs" / "worker-0.log").read_text().count("--- start") == 2
    for worker, expected in enumerate(workers[1]["whole"]):
        assert_equal(results(tmp_path / "out", 0, worker), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("two",), r"must be one of \['one', 'mirrored', 'multiworker', 'tpu'\], got 'two'"),
        (("one", 2), "`devices` is for strategy 'mirrored', got it with 'one'"),
        (("mirrored", None, "here"), "`tpu` is for strategy 'tpu', got it with 'mirrored'"),
        ((None, 2, "here"), "`devices` is for strategy 'mirrored', got it with 'tpu'"),
        (("mirrored", 0), "`devices` must be at least 1, got 0"),
        (("mirrored", 64), r"`devices` must be at most \d+, .* got 64"),
        (("tpu",), "'tpu' needs `tpu`"),
        ((None, 0), "`devices` must be at least 1, got 0"),
        ((None, None, ""), "'tpu' needs `tpu`"),
        (("tpu", None, "local"), r"found no TPU 'local' \(.*Expected 'local' on a TPU VM, or"),
        (("tpu", None, "grpc://127.0.0.1:1"), r"found no TPU 'grpc://127.0.0.1:1' \(.*refused.* Start one, or train"),
    ],
)
def test_what_is_not_there_is_named(arguments, message):
    tf.constant(0)  # TensorFlow runs
    name, devices, tpu = (*arguments, None, None)[:3]
    with pytest.raises(StrategyError, match=message):
        connect(name, devices=devices, tpu=tpu)


@pytest.mark.parametrize("config", [None, "not JSON", '{"cluster": {"ps": []}}', tf_config(["a:1", "b:1"], 2)])
def test_workers_need_a_cluster(monkeypatch, config):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(StrategyError, match=r"needs the environment variable TF_CONFIG .*tools/launch.py sets it"):
        connect("multiworker")


def test_batches_that_cannot_be_dealt_out_are_refused():
    replicas = connect()
    replicas.count = 4
    replicas.require(4), replicas.require(7)
    with pytest.raises(StrategyError, match="at least the number of replicas, got 3 for 4"):
        replicas.require(3)
    replicas.require(8, accumulate=2)
    with pytest.raises(StrategyError, match="got 2 for a `batch_size` of 12 on 4 replicas"):
        replicas.require(12, accumulate=2)
    replicas.name = "tpu"
    replicas.require(8)
    with pytest.raises(StrategyError, match=r"a multiple of the number of TPU replicas.* got 7 for 4"):
        replicas.require(7)


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize(("rows", "count", "sizes"), [(8, 4, [2, 2, 2, 2]), (7, 4, [1, 2, 2, 2]), (3, 4, [0, 1, 1, 1])])
def test_each_row_goes_to_one_replica(rows, count, sizes, labels):
    replicas = connect()
    replicas.count = count
    x = tf.random.stateless_uniform([rows, 3], [1, 2])
    batch = (x, tf.range(rows)) if labels else (x,)
    parts = [replicas._part(batch, tf.constant(k, tf.int64)) for k in range(count)]
    columns = list(zip(*parts, strict=True)) if labels else [parts]
    assert [len(part) for part in columns[0]] == sizes
    for whole, column in zip(batch, columns, strict=True):
        np.testing.assert_array_equal(tf.concat(column, axis=0), whole)


def test_one_process_agrees_with_itself():
    replicas = connect()
    assert replicas.name == "one"
    assert replicas.any(True, False) == [True, False] and replicas.from_chief(lambda: None) == ({}, {})
    with pytest.raises(KeyError):
        replicas.from_chief(lambda: {}["missing"])
