"""Faults of servers, networks, disks and processes: the right bytes in the end, or an error; never half a file."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from flowzoo.core.errors import CheckpointError, HubError
from flowzoo.hub import mirrors, streams, transport
from tests.hub import trees

ROOT = Path(__file__).parents[2]
LOAD = "import sys; from flowzoo.hub import mirrors; from tests.hub import trees; mirrors.set_hub(sys.argv[1]); "


def child(code, hub, cache):
    environment = {**os.environ, "FLOWZOO_HOME": str(cache), "PYTHONPATH": "."}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", LOAD + code, hub.url], cwd=ROOT, env=environment, **pipes)


def output(process):
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return out


# Root may write anywhere. Without capabilities root is an owner like any other: another user might not even enter the
# folder of this clone.
WITHOUT_PRIVILEGES = """
import ctypes
header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert not ctypes.CDLL(None, use_errno=True).capset(header, none), ctypes.get_errno()
"""


def nothing_loadable(cache):
    return not [path for path in cache.rglob("*.h5") if path.read_bytes() != trees.content()]


@pytest.mark.parametrize(
    ("faults", "spans"),
    [
        (["truncated"], [None, "bytes=100000-"]),
        (["short"], [None, "bytes=100000-"]),
        (["error", "error"], [None, None, None]),
        (["babbling", "babbling"], [None, None, None]),
        (["truncated", "error", "truncated"], [None, "bytes=100000-", "bytes=100000-", "bytes=100000-"]),
        (["truncated", "whole"], [None, "bytes=100000-"]),  # no Range support
        (["truncated", "shifted"], [None, "bytes=100000-"]),
    ],
)
def test_a_fault_that_passes_is_overcome(hub, faults, spans):
    hub.faults, hub.where = faults.copy(), trees.digest()
    assert trees.weights().read_bytes() == trees.content()
    assert hub.asked_for(trees.digest()) == spans and not hub.faults


def test_a_server_says_when_to_come_again(hub, monkeypatch):
    pauses = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    hub.faults, hub.where = ["busy"], trees.digest()
    assert trees.weights().read_bytes() == trees.content()
    assert pauses == [transport.LONGEST]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("wrong", r"must have sha256 .*The hub is wrong"),
        ("longer", r"expected 200000 bytes, got more"),
        ("endless", r"expected 200000 bytes, got more"),
        ("error", r"status 503; gave up after 5 attempts"),
        ("gone", r"status 404"),
        ("loop", r"redirected more than 5 times"),
        ("elsewhere", r"redirected to 'file:///etc/passwd', which is not as safe"),
        ("nowhere", r"redirected to 'http://\[::', which is not as safe"),
    ],
)
def test_a_fault_that_stays_is_an_error(hub, cache, fault, message):
    hub.faults, hub.where = [fault] * 9, trees.digest()
    with pytest.raises(HubError, match=message):
        trees.weights()
    assert nothing_loadable(cache)
    hub.faults = []
    assert trees.weights().read_bytes() == trees.content()  # and the next call finds nothing in its way


def test_https_does_not_become_http():
    class Session:
        def get(self, url, **_):
            response = requests.Response()
            response.raw = io.BytesIO()
            response.status_code, response.headers["location"] = 302, url.replace("https:", "http:")
            return response

    with pytest.raises(HubError, match=r"redirected to 'http://a\.example', which is not as safe"):
        streams._get(Session(), "https://a.example", {})


def test_who_drops_connections_is_asked_once():
    class Session:
        def get(self, url, **_):
            raise requests.ConnectTimeout("timed out")

    with pytest.raises(streams.Unreachable, match=r"https://a\.example: timed out\."):  # so the next hub is asked
        streams._get(Session(), "https://a.example", {})


@pytest.mark.parametrize("fault", ["trickle", "stall"])
def test_who_is_too_slow_is_left(hub, monkeypatch, fault):
    monkeypatch.setattr(streams, "TIMEOUT", 0.3)
    monkeypatch.setattr(transport, "WINDOW", 0.3)
    hub.faults, hub.where = [fault], trees.digest()
    assert trees.weights().read_bytes() == trees.content()
    first, second = hub.asked_for(trees.digest())
    assert first is None and second.startswith("bytes=")


@pytest.mark.parametrize("fault", ["slow_head", "slow_chunk", "slow_loop"])
def test_an_answer_that_never_ends_is_given_up(hub, cache, monkeypatch, fault):
    monkeypatch.setattr(streams, "ANSWER", 0.3)
    monkeypatch.setattr(transport, "ATTEMPTS", 2)
    hub.faults, hub.where = [fault] * 99, trees.digest()
    with pytest.raises(HubError, match=r"no answer within 0\.3 s; gave up after 2 attempts"):
        trees.weights()
    hub.faults = [fault]
    assert trees.weights().read_bytes() == trees.content()  # and nobody holds the lock


@pytest.mark.parametrize("fault", ["endless", "truncated", "wrong", "gone"])
def test_an_index_that_does_not_arrive_is_an_error(hub, monkeypatch, fault):
    monkeypatch.setattr("flowzoo.hub.index.LIMIT", 2**20)
    hub.faults, hub.where = [fault] * 99, "index"
    with pytest.raises(HubError, match=r"unknown revision 1 .*127\.0\.0\.1"):
        trees.weights()


def test_nobody_there_is_an_error_at_once(hub, cache, monkeypatch):
    hub.shutdown()
    hub.server_close()
    monkeypatch.setattr(transport, "PAUSE", 60.0)  # a refused connection is not a reason to try again
    with pytest.raises(HubError, match=r"unknown revision 1 .*refused"):
        trees.weights()


def test_a_pipe_in_a_file_hub_is_refused(cache, tmp_path):
    os.mkfifo(tmp_path / "index.json")  # to open it would wait forever
    mirrors.set_hub(tmp_path.as_uri())
    with pytest.raises(HubError, match=r"index\.json: it is not a regular file, but a named pipe"):
        trees.weights()


@pytest.mark.parametrize("url", ["http://:0", "http://a..b", "https://" + 300 * "a", "http://no-such-name.invalid"])
def test_no_address_is_an_error(cache, url):
    mirrors.set_hub(url)
    with pytest.raises(HubError, match="unknown revision 1"):
        trees.weights()


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * trees.SIZE, b"x" * 2 * trees.SIZE])
def test_what_another_download_left_does_no_harm(hub, left):
    path = trees.weights()
    path.with_name(f"{path.name}.part").write_bytes(left)
    path.unlink()
    assert trees.weights().read_bytes() == trees.content()
    assert not path.with_name(f"{path.name}.part").exists()


@pytest.mark.parametrize("damaged", [b"", b"short", bytes(trees.SIZE)])
def test_a_file_damaged_on_disk_is_healed(hub, damaged):
    trees.weights().write_bytes(damaged)
    assert trees.weights().read_bytes() == trees.content()


def test_after_a_kill_the_download_goes_on(hub, cache):
    hub.faults, hub.where = ["stall"], trees.digest()
    process = child("trees.weights()", hub, cache)
    assert hub.stalled.wait(60), "the child asked for nothing"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hub.released.set()
    assert not list(cache.rglob("*.h5"))
    assert trees.weights().read_bytes() == trees.content()
    first, second = hub.asked_for(trees.digest())
    assert first is None and (second is None or second.startswith("bytes="))


def test_ten_processes_download_once(hub, cache):
    hub.faults, hub.where = ["late"], trees.digest()
    processes = [child("print(trees.weights().read_bytes() == trees.content())", hub, cache) for _ in range(10)]
    assert {output(process) for process in processes} == {"True\n"}
    assert hub.asked_for(trees.digest()) == [None]


def test_a_full_disk_is_a_clear_error(hub, cache):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))\n"
    attempt = "try: trees.weights()\nexcept Exception as error: print(type(error).__name__, error)"
    said = output(child(limit + attempt, hub, cache))
    assert "CheckpointError" in said and "can't keep 200000 bytes" in said and "$FLOWZOO_HOME" in said
    assert not list(cache.rglob("*.h5")) and not list(cache.rglob("*.h5.part"))
    assert trees.weights().read_bytes() == trees.content()


def test_a_cache_that_can_only_be_read_serves_what_it_has(hub, cache):
    trees.weights()
    kept = [cache, *cache.rglob("*")]
    for path in kept:
        path.chmod(0o555 if path.is_dir() else 0o444)
    code = (
        "print(trees.weights().read_bytes() == trees.content())\n"
        "try: trees.weights('tiny@2')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = output(child(("" if os.getuid() else WITHOUT_PRIVILEGES) + code, hub, cache))
    for path in kept:
        path.chmod(0o755)
    assert said.startswith("True\nCheckpointError") and "can't keep" in said and "$FLOWZOO_HOME" in said


def test_a_cache_that_is_a_file_is_a_clear_error(hub, cache):
    cache.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"can't keep .*\$FLOWZOO_HOME"):
        trees.weights()
