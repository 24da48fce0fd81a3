"""Rows of files as records: {"id", "x", "condition"}, or {"id", "reason"} for one that can't be read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import IO, Any

from flowzoo.core.columns import header, number, require_each_once

Record = dict[str, Any]
SUFFIXES = (".csv", ".parquet", ".tfrecord")


def read(file: IO[bytes], path: str, columns: Sequence[str] | None, condition: Sequence[str]) -> Iterator[Record]:
    """The records of one file in their order; the id is "<path>:<number of the row>".

    Args:
      file: its content.
      path: its name, whose suffix says what it is.
      columns: names of those that make x; if not given all but the condition's, as they stand in the file, or by number
        if they are called x0, x1, ...
      condition: names of those that make the condition: one of labels, or several of numbers.
    """
    format_rows = {".csv": _csv, ".parquet": _parquet, ".tfrecord": _tfrecord}
    reader = next((reader for suffix, reader in format_rows.items() if path.endswith(suffix)), None)
    if reader is None:
        yield {"id": path, "reason": f"the name must end in {' or '.join(SUFFIXES)}"}
        return
    count = 0
    try:
        for count, content in enumerate(reader(file, columns, condition), 1):
            yield {"id": f"{path}:{count - 1}", **content}
    except Exception as error:  # the rest of a damaged file: nothing is lost without a word
        yield {"id": f"{path}:{count}...", "reason": f"the file can't be read from here on: {error}"}


def _csv(file, columns, condition):
    places, width, gap = None, None, 0
    for count, line in enumerate(io.TextIOWrapper(file, "utf-8-sig", errors="replace"), 1):
        try:  # line by line, so that an open quote can't swallow the lines after it
            cells = next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            if places is None:
                raise ValueError(f"line {count}: {error}") from error
            yield {"reason": f"expected cells, got {len(line)} characters: {error}"}
            continue
        if not cells or (len(cells) == 1 and cells[0].isspace()):
            gap += 1
            continue
        if places is None:
            names, width = _header(cells, count), len(cells)
            places = _places(names or [f"x{i}" for i in range(width)], columns, condition)
            if names:
                gap = 0
                continue
        for _ in range(gap if width == 1 else 0):  # there it may be a missing value; more cells than one can't be
            yield {"reason": "expected 1 cells, got an empty line"}
        gap = 0
        if len(cells) != width:
            yield {"reason": f"expected {width} cells, got {len(cells)}"}
        else:
            yield _picked(cells, *places)


def _header(cells, count):
    if any(set(cell) & {"\0", "\ufffd"} for cell in cells):
        raise ValueError(f"line {count}: expected text in UTF-8, got something else")
    try:
        return header(cells)
    except ValueError as error:
        raise ValueError(f"line {count}: {error}") from error


def _parquet(file, columns, condition):
    import pyarrow.parquet

    table = pyarrow.parquet.ParquetFile(file)
    places = _places(table.schema_arrow.names, columns, condition)
    for batch in table.iter_batches():
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield _picked(row, *places)


def _places(names, columns, condition):
    """(name, place) of those that make x, and of those that make the condition."""
    if not columns:
        columns = [name for name in names if name not in condition]
        usual = [f"x{i}" for i in range(len(columns))]  # flowzoo's own names, which say their order
        columns = usual if set(usual) == set(columns) else columns
    missing = [name for name in (*columns, *condition) if name not in names]
    if missing:
        raise ValueError(f"expected the columns {missing}, got only {sorted(names)}")
    taken = {*columns, *condition}
    require_each_once([name for name in names if name in taken], "columns")
    return [[(name, names.index(name)) for name in some] for some in (columns, condition)]


def _tfrecord(file, columns, condition):
    import tensorflow as tf
    from apache_beam.io.tfrecordio import _TFRecordUtil  # checks the checksums; Beam has no public one with positions

    columns = columns or ["x"]
    while (content := _TFRecordUtil.read_record(file)) is not None:
        try:
            features = tf.train.Example.FromString(content).features.feature
            row = {name: _values(feature) for name, feature in features.items()}
        except Exception as error:
            yield {"reason": f"expected a tf.train.Example, got {len(content)} bytes of something else ({error})"}
            continue
        missing = [name for name in (*columns, *condition) if name not in row]
        if missing:
            yield {"reason": f"expected {missing}, got only {sorted(row)}"}
        else:
            yield _picked(row, *([(name, name) for name in some] for some in (columns, condition)))


def _values(feature):
    kind = feature.WhichOneof("kind")
    values = list(getattr(feature, kind).value) if kind else []
    return list(values[0]) if kind == "bytes_list" else values  # bytes are uint8 numbers


def _picked(row, x, condition):
    try:
        record = {"x": _numbers(row, x)}
        if condition:
            record["condition"] = _numbers(row, condition)
    except ValueError as error:
        return {"reason": str(error)}
    return record


def _numbers(row, places):
    found = []
    for name, place in places:
        values = row[place] if isinstance(row[place], list) else [row[place]]
        for value in values:
            found.append(_number(value))
            if found[-1] is None:
                raise ValueError(f"expected a number in {name!r}, got {value!r}")
    return found


def _number(value):
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and number(value) is None:
        return None
    for kind in (int, float) if isinstance(value, str) else (float,):  # int would cut a decimal to a whole number
        try:
            return kind(value)
        except (TypeError, ValueError):
            continue
    return None
