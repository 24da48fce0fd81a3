"""Rows outside the support of a flow: their log p is -inf, so there is nothing to learn from them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import tensorflow as tf

from flowzoo.bijectors import Bounds, Chain
from flowzoo.models.raw import Raw


class Adaptable(Protocol):
    """What `require_inside` reads of a `Flow`, which can't be imported here; `adapting` reads more."""

    raw: Raw
    data_dtype: str


def require_inside(flow: Adaptable, x: tf.Tensor | np.ndarray, condition=None) -> None:
    """Refuses rows that a `bounded` transform of the flow can't take.

    Raises:
      ValueError: it names the first such row, and the columns that leave their `bounds`.
    """
    parts = flow.raw.parts
    until = max((i + 1 for i, part in enumerate(parts) if part.bounded), default=0)
    if not until or any(part.draws or part.takes_integers for part in parts[:until]):
        return
    x = tf.cast(x, flow.data_dtype)
    rows = np.flatnonzero(np.isneginf(Chain(parts[:until]).encode(x, flow.raw.features(condition))[1]))
    if not len(rows):
        return
    where = f"{len(rows)} of {len(x)} rows outside, first in row {rows[0]}"
    if isinstance(parts[0], Bounds):
        columns = np.flatnonzero(np.asarray(parts[0].outside(x)).any(axis=0)).tolist()
        bounds = ", ".join(f"{column}: {parts[0].bounds[column]}" for column in columns)
        where += f"; columns that leave their bounds, or reach them: {bounds}"
    raise ValueError(f"`x` must lie inside the flow's support, got {where}. Remove these rows or widen the bounds.")
