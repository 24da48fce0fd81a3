"""Long work batch by batch, with a progress bar on terminals."""

from collections.abc import Callable

import numpy as np

from flowzoo.core.bars import bar


def in_batches(function: Callable[[slice], np.ndarray], count: int, what: str, size: int = 256) -> np.ndarray:
    """Joins what `function` gives for rows 0 ... count - 1, `size` at a time.

    Args:
        function: from a slice of rows to an array with as many.
        count: how many rows; at least 1.
        what: what the bar says, on stderr.
        size: a multiple of 64, the step of `Flow.sample` itself.
    """
    parts = []
    with bar(count, what) as done:
        for start in range(0, count, size):
            parts.append(function(slice(start, min(start + size, count))))
            done.update(len(parts[-1]))
    return np.concatenate(parts)
