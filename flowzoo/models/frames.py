"""Data frames and series of pandas as arrays, recognised without importing pandas: whoever has one has imported it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SHOWN = 8  # columns named in an error


def is_frame(value: Any) -> bool:
    """Whether this is a DataFrame or a Series of pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series))


def column_names(value: Any) -> list[str] | None:
    """The names of a frame's columns, or of a series, as strings; None for anything else, or if pandas numbers them."""
    if not is_frame(value):
        return None
    names = _texts([value.name] if value.ndim == 1 else value.columns)
    return names if _named(names) else None


def require_aligned(values: Mapping[str, Any]) -> None:
    """Refuses frames and series whose rows are not named alike in one order, as they would be paired by position.

    statsmodels does the same. What is not a frame is paired by position.

    Args:
      values: by their names in messages; several conditions as a dict by name.

    Raises:
      ValueError: the index of one is not that of the first.
    """
    single = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    named = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    single |= {f'{name}["{key}"]': part for name, value in named.items() for key, part in value.items()}
    (first, one), *others = [(name, value) for name, value in single.items() if is_frame(value)] or [("", None)]
    for name, other in others:
        if len(one) != len(other) or one.index.equals(other.index):  # another length is refused elsewhere
            continue
        labels = one.index.append(other.index).tolist()  # of one dtype; compared as text, where NaN equals NaN
        pairs = enumerate(zip(labels[: len(one)], labels[len(one) :], strict=True))
        differ = ((i, pair) for i, pair in pairs if repr(pair[0]) != repr(pair[1]))
        row, (expected, got) = next(differ, (0, ("", "another kind")))
        raise ValueError(
            f"`{name}` must have the index of `{first}`, row for row, got {got!r} beside {expected!r} in row {row}. "
            "Reindex it, as by `.loc[x.index]`, or pass `.to_numpy()` to pair rows by position."
        )


def to_array(value: Any, what: str, columns: Sequence[str] | None = None, finite: bool = True) -> np.ndarray:
    """The numbers of a frame, (rows, columns), or of a series, (rows,), in the one dtype that holds them all.

    Args:
      value: a DataFrame or Series.
      what: its name in messages.
      columns: names in the desired order; None takes the frame's own. A frame without names is taken as it is.
      finite: whether values that are missing or not finite are refused; if not, missing ones become NaN.

    Raises:
      TypeError: a column holds something other than numbers.
      ValueError: the names are not those of `columns`, one appears twice, or a value is missing or not finite.
    """
    if value.ndim == 1:
        names, parts = _texts([value.name]), [value]
        _require_known(names, columns, what)
    else:
        names, order = _arranged(value, what, columns)
        names, parts = [names[i] for i in order], [value.iloc[:, i] for i in order]
    arrays = [_numbers(part, name, what) for part, name in zip(parts, names, strict=True)]
    array = np.empty((len(value), len(arrays)), np.result_type(*arrays) if arrays else np.float64)
    for i, numbers in enumerate(arrays):
        array[:, i] = numbers
    if finite and array.dtype.kind == "f":
        _require_finite(array, names, value.index, what)
    return array[:, 0] if value.ndim == 1 else array


def _arranged(frame, what, columns):
    """The names of a frame's columns, and the order in which they are wanted."""
    if frame.columns.nlevels > 1:
        raise ValueError(
            f"`{what}` must have one level of column names, got {frame.columns.nlevels}. Join them first, as by "
            "`df.columns = df.columns.map('/'.join)`."
        )
    names = _texts(frame.columns)
    places = {name: i for i, name in enumerate(names)}
    if len(places) < len(names):
        twice = next(name for i, name in enumerate(names) if places[name] != i)
        raise ValueError(f"`{what}` must have columns of different names, got {twice!r} more than once.")
    if columns is None or not (_named(names) or set(names) == set(columns)):
        return names, range(len(names))
    _require_known(names, columns, what)
    return names, [places[name] for name in columns]


def _texts(names):
    """Names as strings, as in a CSV; missing ones become empty."""
    return ["" if name is None else str(name) for name in names]


def _named(names):
    """Whether names mean anything: pandas numbers columns that have none."""
    return names not in ([""], _texts(range(len(names))))


def _require_known(names, columns, what):
    if columns is None or not _named(names):
        return
    missing, extra = ([name for name in a if name not in set(b)] for a, b in ((columns, names), (names, columns)))
    if missing or extra:
        raise ValueError(
            f"`{what}` must have the columns {_listed(columns)} that the flow was fitted on, got {_listed(names)}: "
            f"missing {_listed(missing)}, extra {_listed(extra)}. Pass these columns alone, in any order."
        )


def _numbers(column, name, what):
    kind, dtype = column.dtype.kind, column.dtype  # pandas' own dtypes have a kind, too
    if kind not in "biuf":
        fix = {"M": "Give times as numbers, such as seconds.", "m": "Give times as numbers, such as seconds."}.get(kind)
        fix = fix or "Convert it, e.g. by pandas.to_numeric, or a category by its `.cat.codes`."
        raise TypeError(f"`{what}` must hold numbers, got dtype {dtype} in column {name!r}. {fix}")
    if column.isna().any():
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return column.to_numpy(dtype=getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype)))


def _require_finite(array, names, index, what):
    bad = ~np.isfinite(array)
    rows = np.flatnonzero(bad.any(axis=1))
    if len(rows):
        first = int(rows[0])
        label = index[first : first + 1].tolist()[0]  # not a number of NumPy's own
        label = "" if isinstance(label, int) and label == first else f" (index {label!r})"
        broken = [name for name, column in zip(names, bad.any(axis=0), strict=True) if column]
        raise ValueError(
            f"`{what}` must be finite, got NaN, infinity or nothing in {len(rows)} of {len(array)} rows, first in row "
            f"{first}{label}, in the columns {_listed(broken)}. Remove or repair these rows."
        )


def _listed(names):
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{list(names)[:SHOWN]}{more}"
