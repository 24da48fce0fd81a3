"""-log p of examples, which likelihoods are the means of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flowzoo.core.bars import bar
from flowzoo.core.space import in_nats

if TYPE_CHECKING:
    import numpy as np

    from flowzoo.models.flow import Flow


def losses(
    flow: Flow,
    x: np.ndarray,
    condition: np.ndarray | None = None,
    *,
    seed: int = 0,
    samples: int = 1,
    batch_size: int = 128,
    progress: bool = False,
) -> np.ndarray:
    """-log p(x) of each example as `in_nats` says, in nats or bits/dim: (n,) float64.

    The arguments are those of `Flow.score`, and whether to show a progress bar (on stderr, if it is a terminal).
    """
    import numpy as np  # imported here: `flowzoo list` does not need it

    parts, size = [], 4 * batch_size if progress else max(len(x), 1)
    with bar(len(x), "scoring", shown=progress) as done:
        for rows in (slice(start, start + size) for start in range(0, max(len(x), 1), size)):
            given = flow.condition.rows(condition, rows)
            parts.append(flow.score(x[rows], given, seed=seed, samples=samples, batch_size=batch_size))
            done.update(len(parts[-1]))
    nats = -np.concatenate(parts).astype(np.float64)
    return nats if in_nats(flow.x_space.depth) else nats / (flow.dims * math.log(2.0))
