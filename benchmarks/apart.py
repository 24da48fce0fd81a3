"""A benchmark's measurement in a process of its own: a first call, or a peak of memory, is seen once per process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARK = "RESULT"  # begins a line that holds a result, among what libraries print
SHOWN = 3000  # characters of what a process that failed wrote last


class Failed(RuntimeError):
    """A process ended without a result; says what it wrote last."""


class Process:
    """A script in a process of its own, which prints results by `show`; ends with the `with` block.

    Args:
      script: its path.
      *flags: its command line.
      **environment: variables to set.
    """

    def __init__(self, script: str | Path, *flags: str, **environment: str):
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (`__exit__` closes it; a pipe would fill up unread)
        self.process = subprocess.Popen(
            [sys.executable, str(script), *flags],
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def ask(self, request: Any) -> Any:
        """The result of a request, which the script reads from `requests`.

        Raises:
          Failed: there is none.
        """
        with contextlib.suppress(BrokenPipeError):  # `result` says why
            print(json.dumps(request), file=self.process.stdin, flush=True)
        return self.result()

    def result(self) -> Any:
        """The next result.

        Raises:
          Failed: there is none.
        """
        for line in self.process.stdout:
            if line.startswith(MARK):
                return json.loads(line.removeprefix(MARK))
        self.process.wait()
        self.errors.seek(0)
        raise Failed(self.errors.read()[-SHOWN:].strip() or "It ended without a result.")


def measured(child: str, **environment: str) -> Any:
    """The result of this same script, given also `--child=CHILD`.

    Raises:
      Failed: there is none.
    """
    with Process(sys.argv[0], *sys.argv[1:], f"--child={child}", **environment) as process:
        return process.result()


def show(result: Any) -> None:
    """Prints what `Process.result` reads."""
    print(MARK + json.dumps(result), flush=True)


def requests() -> Iterator[Any]:
    """What `Process.ask` sends, in a script that answers each by `show`."""
    return map(json.loads, sys.stdin)
