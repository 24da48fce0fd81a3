"""The launcher, with workers that need no TensorFlow: restarts, time-outs, signals, no orphans."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowzoo.training.distributed import launch as launcher
from flowzoo.training.distributed.launch import launch

ROOT = Path(__file__).parents[2]
STARTS = """
import json, os, pathlib, signal, sys, time
index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
beat = pathlib.Path(os.environ["FLOWZOO_HEARTBEAT"])
folder = pathlib.Path(sys.argv[1])
mine = folder / f"starts-{index}"
start = int(mine.read_text()) + 1 if mine.exists() else 1
mine.write_text(str(start))
(folder / f"pid-{index}-{start}").write_text(str(os.getpid()))
"""


def run(tmp_path, body, workers=2, **options):
    code = launch([sys.executable, "-c", STARTS + body, str(tmp_path)], workers, tmp_path / "logs", **options)
    starts = [int((tmp_path / f"starts-{i}").read_text()) for i in range(workers)]
    for path in tmp_path.glob("pid-*"):
        assert not alive(int(path.read_text())), f"{path.name} is an orphan"
    return code, starts


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)


def test_every_worker_gets_its_place_and_its_log(tmp_path):
    code, starts = run(tmp_path, "print(os.environ['TF_CONFIG'])", workers=3)
    assert (code, starts) == (0, [1, 1, 1])
    logs = [(tmp_path / "logs" / f"worker-{i}.log").read_text().splitlines() for i in range(3)]
    configs = [json.loads(lines[1]) for lines in logs]
    assert [config["task"] for config in configs] == [{"type": "worker", "index": i} for i in range(3)]
    addresses = configs[0]["cluster"]["worker"]
    assert len(set(addresses)) == 3 and all(config["cluster"]["worker"] == addresses for config in configs)
    assert all(address.startswith("127.0.0.1:") for address in addresses)


def test_all_are_started_again_when_one_is_killed(tmp_path):
    body = """
if start == 1 and index == 1:
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)
if start == 1:
    time.sleep(600)
"""
    assert run(tmp_path, body) == (0, [2, 2])
    assert (tmp_path / "logs" / "worker-0.log").read_text().count("--- start") == 2


def test_restarts_are_bounded(tmp_path):
    both_started = "while not (folder / f'pid-1-{start}').exists(): time.sleep(0.01)\n"
    code, starts = run(tmp_path, both_started + "time.sleep(600 * index)\nos.kill(os.getpid(), 9)", restarts=2)
    assert (code, starts) == (-9, [3, 3])


@pytest.mark.parametrize("code", [1, 2, 75, 126, 127])
def test_a_failure_and_an_interruption_are_final(tmp_path, code):
    body = f"sys.exit({code})"
    assert run(tmp_path, body) == (code, [1, 1])  # no restart, and the other one ended by itself


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((1, launcher.PEER_LOST), 1),
        ((launcher.PEER_LOST, 1), 1),  # the others see its connections break before it is gone
        ((launcher.PEER_LOST, 2), 2),
        ((launcher.PEER_LOST, 75), launcher.PEER_LOST),
        ((1, 75), 1),
    ],
)
def test_what_ended_the_others_counts_not_what_followed(tmp_path, codes, expected):
    both_started = "while not (folder / f'pid-1-{start}').exists(): time.sleep(0.01)\n"
    code, starts = run(tmp_path, both_started + f"time.sleep(0.5 * index)\nsys.exit({codes}[index])", restarts=1)
    assert (code, starts) == (expected, [2, 2] if expected == launcher.PEER_LOST else [1, 1])


@pytest.mark.parametrize("grace", [60, 0])
def test_a_lost_peer_is_waited_for_only_a_while(tmp_path, monkeypatch, grace):
    monkeypatch.setattr(launcher, "LINGER", 0.5 if grace else 600)
    both_started = "while not (folder / f'pid-1-{start}').exists(): time.sleep(0.01)\n"
    hangs = both_started + "time.sleep(600 * index * (start == 1))\nsys.exit(69 * (start == 1))"
    assert run(tmp_path, hangs, grace_seconds=grace) == (0, [2, 2])


def test_a_worker_that_hangs_after_a_failure_is_killed(tmp_path):
    assert run(tmp_path, "time.sleep(600 * index)\nsys.exit(1)", grace_seconds=0.5)[0] == 1


@pytest.mark.parametrize("where", ["at the start", "later"])
def test_a_worker_that_stands_still_is_dead(tmp_path, where):
    body = """
for step in range(40):
    if not (start == 1 and index == 1 and (step == 4 or WHERE == "at the start")):
        beat.touch()
        time.sleep(0.05)
    else:
        time.sleep(600)
"""
    assert run(tmp_path, f"WHERE = {where!r}" + body, stall_minutes=1 / 60) == (0, [2, 2])


TOOL = [sys.executable, str(ROOT / "tools" / "launch.py"), "--workers=2"]
PATIENT = """
def leave(*_):
    (folder / f"left-{index}").touch()
    sys.exit(75)
signal.signal(signal.SIGTERM, leave)
(folder / f"ready-{index}").touch()
time.sleep(600)
"""


def tool(tmp_path, body, *flags):
    command = [*TOOL, f"--logs={tmp_path / 'logs'}", *flags, "--", sys.executable, "-c", STARTS + body, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    wait_for(lambda: len(list(tmp_path.glob("ready-*"))) == 2)
    return process


def pids(tmp_path):
    return [int(path.read_text()) for path in tmp_path.glob("pid-*")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on_and_waited_for(tmp_path, number):
    process = tool(tmp_path, PATIENT)
    process.send_signal(number)
    output = process.communicate(timeout=30)[0].decode()
    assert process.returncode == 75, output
    assert len(list(tmp_path.glob("left-*"))) == 2 and not any(map(alive, pids(tmp_path)))


@pytest.mark.parametrize("signals", [1, 2])
def test_workers_deaf_to_the_signal_are_killed(tmp_path, signals):
    deaf = PATIENT.replace("leave)", "signal.SIG_IGN)")
    process = tool(tmp_path, deaf, *(["--grace_seconds=0.5"] if signals == 1 else []))
    for _ in range(signals):  # the second one doesn't wait
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGKILL and not any(map(alive, pids(tmp_path)))


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_a_killed_launcher_leaves_no_orphans(tmp_path):
    process = tool(tmp_path, PATIENT)
    process.kill()
    process.communicate(timeout=30)
    wait_for(lambda: not any(map(alive, pids(tmp_path))))


def test_the_launcher_needs_no_tensorflow(fresh_process):
    fresh_process("import sys, flowzoo.training.distributed.launch; assert 'tensorflow' not in sys.modules")


def test_the_tool_is_thin_and_wants_a_command(tmp_path):
    assert len(Path(TOOL[1]).read_text().splitlines()) < 100
    done = subprocess.run([*TOOL, f"--logs={tmp_path}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "after `--`" in done.stdout + done.stderr


def one_line(output):
    assert "Traceback" not in output and len(output.strip().splitlines()) == 1, output
    return output


def test_an_unknown_command_is_one_line(tmp_path):
    command = [*TOOL, f"--logs={tmp_path}", "--", "no-such-command"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "'no-such-command'. Give a command that runs" in one_line(done.stderr)


@pytest.mark.parametrize("flag", ["stall_minutes=0", "stall_minutes=nan", "grace_seconds=-1", "grace_seconds=nan"])
def test_times_that_make_no_sense_are_refused(tmp_path, flag):
    command = [*TOOL, f"--logs={tmp_path}", f"--{flag}", "--", sys.executable, "-c", ""]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and f"--{flag.split('=')[0]}" in done.stdout + done.stderr
    assert "must be" in done.stdout + done.stderr and not any(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["0"], ["x", "a:1"], ["1", "a:1"], ["-1", "a:1"], ["a:1", "b:1"]])
def test_a_place_that_is_not_in_the_list_is_refused(capsys, arguments):
    assert launcher.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and f"got {arguments}" in one_line(printed.err)


def test_the_configuration_of_one_worker(fresh_process):
    code = "import runpy; runpy.run_module('flowzoo.training.distributed.launch', run_name='__main__')"
    config = json.loads(fresh_process(code, 1, "glow-0.glow:2222", "glow-1.glow:2222"))
    assert config["cluster"] == {"worker": ["glow-0.glow:2222", "glow-1.glow:2222"]}
    assert config["task"] == {"type": "worker", "index": 1}
