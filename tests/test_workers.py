"""A worker that holds too much memory is renewed: tests/conftest.py with a suite of its own, without TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HELD = {"test_a": [0, 5000, 1], "test_b": [2, 5001, 3], "test_c": [4], "test_d": [5002]}  # MiB; the last test is light
FAILS = 2
TESTS = """
import os
import time
import conftest
import pytest

if os.environ["PYTEST_XDIST_WORKER"] == "gw3":  # two are renewed at once, and one of them collects while the other runs
    time.sleep(1)

@pytest.mark.parametrize("held", {held})
def test(held):
    with open("ran.txt", "a") as file:
        file.write(f"{{held}} {{os.getpid()}} {{conftest.held}}\\n")
    conftest.held = held
    assert held != {fails}
"""
ENDED = """
import time
from pathlib import Path

def test_the_first_worker_has_ended():
    process = Path("/proc", Path("ran.txt").read_text().split()[1])
    for _ in range(600):
        if not process.exists() or (process / "stat").read_text().rpartition(") ")[2].startswith("Z"):
            return
        time.sleep(0.1)
    raise AssertionError("it still holds its memory")
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_every_test_runs_once_in_a_worker_that_holds_little(tmp_path, workers):
    conftest = Path(__file__).with_name("conftest.py").read_text()
    (tmp_path / "conftest.py").write_text(f"{conftest}\n\nheld = 0\n\n\ndef _resident():\n    return held\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    for name, held in HELD.items():
        (tmp_path / f"{name}.py").write_text(TESTS.format(held=held, fails=FAILS))
    (tmp_path / "test_e.py").write_text(ENDED)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-n", str(workers), "--dist", "loadgroup", "--no-loadscope-reorder"]

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    assert "1 failed, 8 passed" in done.stdout and "crashed" not in done.stdout, done.stdout + done.stderr
    ran = [[int(number) for number in line.split()] for line in (tmp_path / "ran.txt").read_text().splitlines()]
    assert sorted(held for held, _, _ in ran) == sorted(held for file in HELD.values() for held in file)
    assert max(before for _, _, before in ran) < 5000, "a worker went on that held too much"
