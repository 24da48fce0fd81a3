"""What benchmarks beside other libraries share: the rate of a call, and a process of its own for each library."""

import json
import statistics
import subprocess
import sys
import time

from absl import flags

BATCH = flags.DEFINE_integer("batch", 512, "Rows per call.", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 8, "Calls timed at least, after the first ones.", lower_bound=1)
SECONDS = 2.0  # of calls at least: eight of a few milliseconds each would be noise
CHILD = flags.DEFINE_string("child", None, "Used by the script itself: time one, 'LIBRARY MODEL'.")


def rate(call):
    """Rows per second of a call that does not return before its work is done."""
    call(), call()
    times = []
    while len(times) < REPEATS.value or sum(times) < SECONDS:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return BATCH.value / statistics.median(times)


def timed_apart(script, library, model):
    """What `script --child` prints as JSON in a process of its own; if that fails, the last line of its error."""
    command = [sys.executable, script, f"--child={library} {model}"]
    command += [f"--batch={BATCH.value}", f"--repeats={REPEATS.value}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        return (ended.stderr.strip().splitlines() or ["?"])[-1]
    return json.loads(ended.stdout.splitlines()[-1])
