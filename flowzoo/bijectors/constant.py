"""Columns that are constant, or nearly, in the batch that a transform adapts to."""

from __future__ import annotations

import numpy as np

STEPS = 32  # of the resolution of its numbers: a column that spans no more holds rounding errors and nothing else


def constant_columns(x: np.ndarray, least: float = 0.0) -> np.ndarray:
    """Whether each column varies by no more than its rounding errors, which dividing by its deviation would blow up.

    The resolution is that of float32 where float32 holds all values of a column, in whatever dtype they come.

    Args:
      x: (..., columns), at least one row.
      least: a size below which a column counts as this large. Data has any unit, so 0; what flows through layers is of
        size 1.

    Returns:
      (columns,) bool.
    """
    rows = np.asarray(x).reshape(-1, np.shape(x)[-1])
    low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
    size = np.maximum(np.maximum(np.abs(low), np.abs(high)), least)
    return high - low <= STEPS * _resolution(rows) * size


def _resolution(rows):
    with np.errstate(over="ignore"):
        coarse = (rows.astype(np.float32) == rows).all(axis=0)
    return np.where(coarse, np.finfo(np.float32).eps, np.finfo(np.float64).eps)
