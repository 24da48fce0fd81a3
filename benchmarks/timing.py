"""The time of a call, as the median of several."""

import statistics
import time
from collections.abc import Callable


def seconds(call: Callable[[], object], repeats: int = 1, at_least: float = 0.0) -> float:
    """Median seconds of a call that does not return before its work is done.

    Args:
      call: was called before, so that nothing is compiled now.
      repeats: how many calls at least.
      at_least: seconds of calls at least: a few of some milliseconds each would be noise.
    """
    times = []
    while len(times) < repeats or sum(times) < at_least:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
