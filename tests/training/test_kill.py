"""`kill -9` at any moment, the same command again: the same bits as without the kill. Real processes, real kills."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}


def start(workdir, *bomb):
    command = [sys.executable, "-m", "tests.training.toy", str(workdir), *map(str, bomb)]
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process):
    output = process.communicate(timeout=300)[0].decode()
    assert process.returncode == 0, output[-3000:]
    return output


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("undisturbed")
    finish(start(workdir))
    return workdir


def assert_same(workdir, undisturbed):
    with np.load(sorted((workdir / "state").glob("*.npz"))[-1]) as file:
        got = {name: file[name] for name in file.files}
    with np.load(sorted((undisturbed / "state").glob("*.npz"))[-1]) as file:
        expected = {name: file[name] for name in file.files}
    assert got.keys() == expected.keys()
    assert [name for name in got if name != "facts" and got[name].tobytes() != expected[name].tobytes()] == []
    assert history(workdir) == history(undisturbed)
    for name in ("best.json", "best.weights.h5"):
        assert (workdir / name).read_bytes() == (undisturbed / name).read_bytes(), name
    assert not [path for path in workdir.rglob(".*") if path.name != ".lock"]  # of those that were killed


def history(workdir):
    rows = [line.split(",") for line in (workdir / "history.csv").read_text().splitlines()]
    return [row[:1] + row[2:] for row in rows]  # all but the seconds


def test_kills_at_chosen_moments(undisturbed, tmp_path):
    bombs = [("write", 1), ("rename", 3), ("best", 1), ("renamed", 2)]
    for bomb in bombs:
        process = start(tmp_path, *bomb)
        output = process.communicate(timeout=300)[0].decode()
        assert process.returncode == -signal.SIGKILL, output[-3000:]
        assert bool(list(tmp_path.rglob(".*.tmp"))) == (bomb[0] != "renamed")  # what the next start removes
    finish(start(tmp_path))
    assert_same(tmp_path, undisturbed)


@pytest.mark.slow
def test_a_kill_at_a_random_moment(undisturbed, tmp_path):
    moment = random.SystemRandom().uniform(0.0, 2.0)
    process = start(tmp_path)
    while process.poll() is None and not list((tmp_path / "state").glob("*.npz")):
        time.sleep(0.01)
    time.sleep(moment)
    process.kill()
    process.communicate()
    print(f"killed {moment:.3f} s after the first state, at {sorted((tmp_path / 'state').glob('*'))[-1].name}")
    finish(start(tmp_path))
    assert_same(tmp_path, undisturbed)


def test_a_finished_training_is_not_trained_again(undisturbed):
    def states():
        return [(path.name, path.stat().st_mtime_ns) for path in sorted((undisturbed / "state").iterdir())]

    before = states(), history(undisturbed)
    finish(start(undisturbed))
    assert (states(), history(undisturbed)) == before
