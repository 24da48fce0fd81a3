"""Tables of numbers as CSV or Parquet: one row for each example, one column for each feature."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowzoo.core.columns import HINT, Columns, header, number
from flowzoo.core.files import atomic, write_atomic

if TYPE_CHECKING:
    from types import ModuleType

SUFFIXES = (".csv", ".parquet")


def read_table(path: Path, columns: Columns | None = None) -> np.ndarray:
    """The numbers of a table, (rows, columns) float64; what is empty is NaN.

    Args:
        path: a `.csv`, whose first line may name the columns, or a `.parquet`.
        columns: which, in which order; all of them if not given.

    Raises:
        ValueError: it is not such a table, a column is missing or holds no numbers, or Parquet needs pyarrow.
    """
    read = _read_csv if path.suffix.lower() == ".csv" else _read_parquet
    return read(path, columns or Columns(None))


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
    """pyarrow, or a `ValueError` that says how to install it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError(f"{path}: Parquet needs pyarrow. Run `pip install flowzoo[tables]`, or use .csv.") from error
    return pyarrow


def _text(column: np.ndarray) -> np.ndarray:
    return column if column.dtype == object else column.astype(str)  # with the fewest digits that identify it


def _read_csv(path: Path, columns: Columns) -> np.ndarray:
    numbers, width, places, gap = array("d"), None, None, 0
    with open(path, newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, strict=True)
        try:
            for cells in lines:
                if not cells or (len(cells) == 1 and cells[0].isspace()):
                    gap = lines.line_num
                    continue
                if width is None:
                    width, names = len(cells), header(cells)
                    places = columns.places(names, str(path), cells)
                    if names:
                        gap = 0
                        continue
                if len(cells) != width:
                    raise ValueError(f"expected {width} cells, as in the first line, got {len(cells)}. {HINT}")
                if gap and width == 1:  # it may be a missing value, which an empty line in a wider table can't
                    raise ValueError(f"expected a number in each line of one column, got an empty line {gap}.")
                for place in range(width) if places is None else places:
                    numbers.append(_number(cells, place))
        except UnicodeError as error:
            raise ValueError(f"{path}: expected a table in UTF-8, got: {error}.") from error
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{path}: line {lines.line_num}: {error}") from error
    found = len(places) if places else width or 0
    return np.asarray(numbers).reshape(-1, found) if found else np.zeros((0, 0))


def _number(cells: Sequence[str], place: int) -> float:
    text = cells[place].strip()
    value = number(text) if text else np.nan
    if value is None:
        raise ValueError(f"cell {place + 1}: expected a number, got {cells[place]!r}. {HINT}")
    return value


def _read_parquet(path: Path, columns: Columns) -> np.ndarray:
    pyarrow = require_pyarrow(path)
    path.stat()  # the usual error for a file that is not there
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            places = _places(path, columns, names)
            table = file.read(columns=None if len(places) == len(names) else [names[place] for place in places])
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path}: expected a Parquet file, got: {error}") from error
    table = table.select([names[place] for place in places])  # in this order
    kinds = pyarrow.types
    for field in table.schema:
        if not any(is_kind(field.type) for is_kind in (kinds.is_integer, kinds.is_floating, kinds.is_decimal)):
            raise ValueError(
                f"{path}: column {field.name!r} must hold numbers, got {field.type}. Choose others by {columns.option}."
            )
    parts = [column.cast(pyarrow.float64(), safe=False).to_numpy() for column in table.columns]
    return np.stack(parts, axis=1) if parts else np.zeros((table.num_rows, 0))


def _places(path: Path, columns: Columns, names: Sequence[str]) -> list[int]:
    try:
        return columns.places(names, str(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
