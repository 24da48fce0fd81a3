"""Rows outside the support of a flow: their log p is -inf, so there is nothing to learn from them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from flowzoo.bijectors import Bounds, Chain
from flowzoo.models.raw import Raw


class Adaptable(Protocol):
    """What `require_inside` reads of a `Flow`, which can't be imported here; `adapting` reads more."""

    event_shape: tuple[int, ...]
    data_dtype: str
    columns: list[str] | None
    raw: Raw


def require_inside(flow: Adaptable, x: tf.Tensor | np.ndarray, condition=None) -> None:
    """Refuses rows that a `bounded` transform of the flow can't take.

    Raises:
      ValueError: it names the first such row, and the columns that leave their `bounds`.
    """
    parts = list(itertools.takewhile(lambda part: not part.draws and not part.takes_integers, flow.raw.parts))
    until = max((i + 1 for i, part in enumerate(parts) if part.bounded), default=0)
    if not until:
        return
    x = tf.cast(x, flow.data_dtype)
    rows = np.flatnonzero(np.isneginf(Chain(parts[:until]).encode(x, flow.raw.features(condition))[1]))
    if not len(rows):
        return
    where = f"{len(rows)} of {len(x)} rows outside, first in row {rows[0]}"
    if isinstance(parts[0], Bounds):
        columns = np.flatnonzero(outside_columns(flow, x)).tolist()
        where += f"; columns that leave their bounds, or reach them: {shown_bounds(flow, columns)}"
    raise ValueError(f"`x` must lie inside the flow's support, got {where}. Remove these rows or widen the bounds.")


def outside_columns(flow: Adaptable, x: tf.Tensor) -> tf.Tensor:
    """Which columns of x have a number that is not within its bounds: (columns,) bool; empty for a flow without."""
    if not isinstance(flow.raw.parts[0], Bounds):
        return tf.zeros([0], tf.bool)
    return tf.reduce_any(flow.raw.parts[0].outside(tf.cast(x, flow.data_dtype)), axis=0)


def shown_bounds(flow: Adaptable, columns: Sequence[int]) -> str:
    """The bounds of these columns, each by its name where the flow knows it."""
    names = list(map(repr, flow.columns)) if flow.columns else range(math.prod(flow.event_shape))
    return ", ".join(f"{names[i]}: {flow.raw.parts[0].bounds[i]}" for i in columns)
