"""A warning where a cast to float32 loses what tells the rows of a column apart."""

from __future__ import annotations

import numpy as np

from flowzoo.core.warn import warn

STEPS = 1024  # of float32 at a column's size: a column that spans no more keeps ten bits, or fewer


def warn_of_lost_digits(x, dtype: str) -> None:
    """Warns if a column of x, (rows, ...) of float64, has its values within few steps of `dtype`, as time stamps have.

    Columns that are constant, or hold nothing that float32 can't, lose nothing.
    """
    if dtype != "float32" or x.dtype != np.float64 or x.shape[0] < 2:
        return
    rows = np.asarray(x).reshape(x.shape[0], -1)
    span = rows.max(axis=0) - rows.min(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        coarse = (rows.astype(np.float32) == rows).all(axis=0)
        lost = (span > 0.0) & (span < STEPS * np.spacing(np.abs(rows).max(axis=0).astype(np.float32))) & ~coarse
    if lost.any():
        warn(
            f"`x` loses digits as it is cast from float64 to float32: the values of columns {np.flatnonzero(lost)} "
            f"lie within {STEPS} steps of float32. Build the flow with `standardize=True`, which keeps float64, or "
            "subtract an offset first.",
        )
