"""A benchmark's measurement in a process of its own: a first call, or a peak of memory, is seen once per process."""

import json
import os
import subprocess
import sys


def show(result):
    """Prints what `measured` reads."""
    print("RESULT" + json.dumps(result))


def measured(child, **environment):
    """What this same script, given also `--child=CHILD`, hands to `show`; ends this process if it fails."""
    done = subprocess.run(
        [sys.executable, *sys.argv, f"--child={child}"],
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    if done.returncode or not lines:
        sys.exit(f"{child} failed:\n{done.stderr[-3000:]}")
    return json.loads(lines[0].removeprefix("RESULT"))
