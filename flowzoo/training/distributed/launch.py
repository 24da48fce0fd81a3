"""`launch`: the workers of a distributed training as processes of this machine, restarted together when one dies.

A worker that lost its peers can't continue, and one started alone waits for the others. So whenever a worker dies or
stalls, all are killed and started again; the training resumes from its last state. Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from absl import logging

HEARTBEAT = "FLOWZOO_HEARTBEAT"  # names the file that a worker touches at each step
FAILED, PEER_LOST, INTERRUPTED = 1, 69, 75  # exit codes of a training; EX_UNAVAILABLE, EX_TEMPFAIL
FAILURES = {FAILED, 2, 126, 127}  # the same command would fail again; 2, 126, 127: Python or a shell can't run it
FINAL = FAILURES | {0, INTERRUPTED}  # someone asked for the end
POLL = 0.1  # seconds
LINGER = 5.0  # seconds in which the worker that the others lost may end too; its code says why


def launch(
    command: Sequence[str],
    workers: int,
    logs: str | os.PathLike,
    *,
    restarts: int = 3,
    stall_minutes: float = 30.0,
    grace_seconds: float = 60.0,
) -> int:
    """Runs `command` as `workers` workers until all have ended.

    SIGTERM and SIGINT are passed on as SIGTERM, upon which a training saves its state; a second one kills.

    Args:
        command: of one worker; it finds its place in the environment variable TF_CONFIG.
        workers: how many.
        logs: folder for worker-<i>.log, to which each start is appended.
        restarts: how often all are started again, at most.
        stall_minutes: a worker that takes no step for this long, from its start on, counts as dead. It must be longer
            than a validation and the first step, which compiles.
        grace_seconds: how long workers may take to end by themselves before they are killed.

    Returns:
        The exit code of the training: 0 finished or paused, 75 interrupted, 1, 2, 126 or 127 failed for a reason that
        a restart doesn't cure; else, when the restarts are used up, that of the worker that died first (negative: a
        signal).

    Raises:
        OSError: there is no such command, or no folder for the logs.
    """
    with _Signals() as signals:
        for attempt in range(restarts + 1):
            group = _Group(command, workers, Path(logs), attempt)
            try:
                code = group.wait(signals, 60 * stall_minutes, grace_seconds)
            finally:
                group.kill()
            if code in FINAL or signals.count:
                return code
            logging.warning("Start %d ended with %d; %d restarts left.", attempt + 1, code, restarts - attempt)
    return code


def tf_config(addresses: Sequence[str], index: int) -> str:
    """TF_CONFIG of one worker: the "host:port" of all, and which of them it is; the first is the chief."""
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}})


class _Group:
    def __init__(self, command: Sequence[str], workers: int, logs: Path, attempt: int):
        logs.mkdir(parents=True, exist_ok=True)
        self.beats = [logs / f"worker-{i}.beat" for i in range(workers)]
        self.processes = []
        addresses = _free_addresses(workers)
        try:
            for i, beat in enumerate(self.beats):
                beat.touch()
                with open(logs / f"worker-{i}.log", "a") as log:
                    print(f"--- start {attempt + 1}, {time.strftime('%F %T')}, {addresses[i]}", file=log, flush=True)
                    environment = os.environ | {"TF_CONFIG": tf_config(addresses, i), HEARTBEAT: str(beat.resolve())}
                    process = subprocess.Popen(
                        command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                        start_new_session=True, preexec_fn=_die_with_parent,
                    )  # fmt: skip
                self.processes.append(process)
        except BaseException:
            self.kill()
            raise

    def wait(self, signals: _Signals, stall_seconds: float, grace_seconds: float) -> int:
        """Waits until all have ended, or the others must be killed; gives the worst code of those that ended first.

        A lost peer is a consequence of another worker's end, even when that one takes a little longer to be gone.
        """
        first, passed_on, deadline, lingering = 0, 0, math.inf, 0.0
        while True:
            codes = [process.poll() for process in self.processes]
            bad = [code for code in codes if code]
            if bad and not first:  # what follows may be a consequence
                lingering = time.monotonic() + min(LINGER, grace_seconds)
                deadline = min(deadline, time.monotonic() + grace_seconds)
            if bad and first in (0, PEER_LOST) and _worst(bad) != first:
                first = _worst(bad)
                logging.log(
                    logging.INFO if first in FINAL else logging.WARNING,
                    "Worker %d ended with %d.", codes.index(first), first,
                )  # fmt: skip
            lingers = first == PEER_LOST and time.monotonic() < lingering
            if None not in codes or not (first in FINAL or passed_on or lingers):
                return first
            if time.monotonic() > deadline or signals.count > 1:
                return first or -signal.SIGKILL
            if signals.count > passed_on:
                passed_on, deadline = signals.count, time.monotonic() + grace_seconds
                self.send(signal.SIGTERM)
            for i, (code, beat) in enumerate(zip(codes, self.beats, strict=True)):
                if code is None and not first and time.time() - beat.stat().st_mtime > stall_seconds:
                    logging.warning("Worker %d took no step for %.3g minutes.", i, stall_seconds / 60)
                    return -signal.SIGKILL
            time.sleep(POLL)

    def send(self, number: int) -> None:
        for process in self.processes:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)  # each worker leads a group, with whatever it started

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        for process in self.processes:
            process.wait()


class _Signals:
    """Counts SIGTERM and SIGINT instead of dying of them."""

    count = 0

    def __enter__(self):
        self.handlers = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_):
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _note(self, number, _):
        self.count += 1


def _worst(codes: list[int]) -> int:
    """What ended the group: a death before a failure before a lost peer, which is only a consequence."""
    return min(codes, key=lambda code: (code == INTERRUPTED, code == PEER_LOST, code in FAILURES))


def _free_addresses(count: int) -> list[str]:
    with contextlib.ExitStack() as stack:  # all open at once, so that they differ
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: not even a killed launcher leaves orphans


def main(arguments: Sequence[str]) -> int:
    """Prints TF_CONFIG of one worker, for a cluster's scripts: INDEX HOST:PORT [HOST:PORT ...]."""
    addresses = arguments[1:]
    if not addresses or arguments[0] not in map(str, range(len(addresses))):
        print(
            "Expected `python -m flowzoo.training.distributed.launch INDEX HOST:PORT [HOST:PORT ...]`, where INDEX, "
            f"from 0 on, is the place of this worker among the addresses, got {list(arguments)}.",
            file=sys.stderr,
        )
        return 2
    print(tf_config(addresses, int(arguments[0])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
