"""A warning when a cast to float32 loses the digits in which the values of a column differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flowzoo.core.warn import warn

STEPS = 1024  # of float32 at a column's size: a column that spans no more keeps ten bits, or fewer


def wide(dtype: Any) -> bool:
    """Whether a cast to float32 may lose digits of numbers of this NumPy dtype."""
    return dtype.kind in "iuf" and dtype.itemsize > (4 if dtype.kind == "f" else 2)


def warn_of_lost_digits(x: Any, dtype: str, what: str, fix: str, names: Sequence[str] | None = None) -> None:
    """Warns if all values of a column, such as time stamps, lie within a few steps of `dtype`, to which they are cast.

    Columns that are constant, or hold nothing that float32 can't, lose nothing.

    Args:
      x: (rows, ...) numbers.
      dtype: of the model.
      what: the name of x in the warning.
      fix: what the user may do.
      names: of the columns; their indices if not given.
    """
    x = np.asarray(x)
    if dtype != "float32" or not wide(x.dtype) or x.ndim < 1 or x.shape[0] < 2 or not x.size:
        return
    rows = x.reshape(x.shape[0], -1).astype(np.float64, copy=False)
    span = rows.max(axis=0) - rows.min(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        coarse = (rows.astype(np.float32) == rows).all(axis=0)
        lost = (span > 0.0) & (span < STEPS * np.spacing(np.abs(rows).max(axis=0).astype(np.float32))) & ~coarse
    if lost.any():
        columns = np.flatnonzero(lost)
        if names is not None and len(names) == len(lost):
            columns = [names[i] for i in columns]
        warn(
            f"`{what}` loses digits as it is cast from {x.dtype.name} to float32: the values of columns {columns} "
            f"lie within {STEPS} steps of float32. {fix}",
        )
