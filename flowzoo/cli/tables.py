"""Tables of numbers as CSV or Parquet: one row for each example, one column for each feature."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowzoo.errors import nearest
from flowzoo.files import atomic, write_atomic

if TYPE_CHECKING:
    from types import ModuleType

SUFFIXES = (".csv", ".parquet")


def read_table(path: Path, columns: Sequence[str] | None = None) -> np.ndarray:
    """The numbers of a table, (rows, columns) float64; what is empty is NaN.

    Args:
        path: a `.csv`, whose first line may name the columns, or a `.parquet`.
        columns: which, in this order; all of them if not given.

    Raises:
        ValueError: it is no such table, a column is missing or holds no numbers, or Parquet needs pyarrow.
    """
    return _read_csv(path, columns) if path.suffix == ".csv" else _read_parquet(path, columns)


def write_table(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Writes columns of one length as `.csv` or `.parquet`, all or nothing; CSV has as many digits as it takes."""
    if path.suffix == ".csv":
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(zip(*map(_text, columns.values()), strict=True))
        write_atomic(path, text.getvalue())
        return
    pyarrow = require_pyarrow(path)
    with atomic(path) as file:
        pyarrow.parquet.write_table(pyarrow.table(dict(columns)), file)


def require_pyarrow(path: Path) -> ModuleType:
    """pyarrow, or a `ValueError` that tells how to get it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError(f"{path}: Parquet needs pyarrow. Run `pip install flowzoo[tables]`, or use .csv.") from error
    return pyarrow


def _text(column: np.ndarray) -> np.ndarray:
    return column if column.dtype == object else column.astype(str)  # with the fewest digits that tell it


def _read_csv(path: Path, columns: Sequence[str] | None) -> np.ndarray:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            first = next(lines, [])
            second = next(filter(None, lines), first)
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: expected a table in UTF-8, got: {error}.") from error
    names = None if all(map(_is_number, first)) else first
    if names and len(second) != len(names):
        raise ValueError(f"{path}: the first line must name all {len(second)} columns, got {len(names)} names.")
    if columns and names is None:
        raise ValueError(f"{path}: the first line must name the columns for --columns, got {','.join(first)!r}.")
    how = {"delimiter": ",", "quotechar": '"', "comments": None, "ndmin": 2, "encoding": "utf-8-sig"}
    how |= {"skiprows": int(names is not None), "usecols": _picked(path, names, columns)}
    how["converters"] = lambda cell: float(cell) if cell.strip() else np.nan
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a table without rows
            rows = np.loadtxt(path, **how)
    except ValueError as error:
        reason = str(error).partition(";")[0].rstrip(".")
        raise ValueError(f"{path}: expected a number in every cell, got: {reason} (rows counted from 0).") from error
    return rows if rows.size else rows.reshape(0, len(columns or first))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell.strip()
    return True


def _picked(path: Path, names: Sequence[str] | None, columns: Sequence[str] | None) -> list[int] | None:
    if not columns:
        return None
    for column in columns:
        if column not in names:
            raise ValueError(f"{path}: no column {column!r}. {nearest(column, names)}")
        if names.count(column) > 1:
            raise ValueError(f"{path}: one column must be called {column!r}, got {names.count(column)}. Rename them.")
    return [names.index(column) for column in columns]


def _read_parquet(path: Path, columns: Sequence[str] | None) -> np.ndarray:
    pyarrow = require_pyarrow(path)
    path.stat()  # the usual error for a file that is not there
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            _picked(path, names, columns)
            table = file.read(columns=columns)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path}: expected a Parquet file, got: {error}") from error
    table = table.select(columns) if columns else table  # in this order
    for field in table.schema:
        if not (pyarrow.types.is_integer(field.type) or pyarrow.types.is_floating(field.type)):
            raise ValueError(f"{path}: column {field.name!r} must hold numbers, got {field.type}. Choose by --columns.")
    parts = [column.cast(pyarrow.float64(), safe=False).to_numpy() for column in table.columns]
    return np.stack(parts, axis=1) if parts else np.zeros((table.num_rows, 0))
