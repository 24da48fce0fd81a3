"""Rows of files as records: {"id", "x", "condition"}, or {"id", "reason"} for one that can't be read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import IO, Any

Record = dict[str, Any]
SUFFIXES = (".csv", ".parquet", ".tfrecord")


def read(file: IO[bytes], path: str, columns: Sequence[str] | None, condition: Sequence[str]) -> Iterator[Record]:
    """The records of one file in their order; the id is "<path>:<number of the row>".

    Args:
      file: its content.
      path: its name, whose suffix says what it is.
      columns: names of those that make x; all but the condition's if not given.
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
    names = None
    for line in io.TextIOWrapper(file, "utf-8-sig", errors="replace"):
        try:
            cells = next(csv.reader([line]), [])  # line by line, so that an open quote can't swallow the lines after it
        except csv.Error as error:
            yield {"reason": f"expected cells, got {len(line)} characters: {error}"}
            continue
        if not cells:
            continue
        if names is None:
            numbered = all(_number(cell) is not None for cell in cells)
            names = [f"x{i}" for i in range(len(cells))] if numbered else cells
            if not numbered:
                continue
        if len(cells) != len(names):
            yield {"reason": f"expected {len(names)} cells, got {len(cells)}"}
        else:
            yield _picked(dict(zip(names, cells, strict=True)), columns, condition)


def _parquet(file, columns, condition):
    import pyarrow.parquet

    for batch in pyarrow.parquet.ParquetFile(file).iter_batches():
        for row in batch.to_pylist():
            yield _picked(row, columns, condition)


def _tfrecord(file, columns, condition):
    import tensorflow as tf
    from apache_beam.io.tfrecordio import _TFRecordUtil  # checks the checksums; Beam has no public one with positions

    while (content := _TFRecordUtil.read_record(file)) is not None:
        try:
            features = tf.train.Example.FromString(content).features.feature
            row = {name: _values(feature) for name, feature in features.items()}
        except Exception as error:
            yield {"reason": f"expected a tf.train.Example, got {len(content)} bytes of something else ({error})"}
            continue
        yield _picked(row, columns or ["x"], condition)


def _values(feature):
    kind = feature.WhichOneof("kind")
    values = list(getattr(feature, kind).value) if kind else []
    return list(values[0]) if kind == "bytes_list" else values  # bytes are uint8 numbers


def _picked(row, columns, condition):
    columns = columns or [name for name in row if name not in condition]
    missing = [name for name in (*columns, *condition) if name not in row]
    if missing:
        return {"reason": f"expected {missing}, got only {sorted(row)}"}
    try:
        record = {"x": _numbers(row, columns)}
        if condition:
            record["condition"] = _numbers(row, condition)
    except ValueError as error:
        return {"reason": str(error)}
    return record


def _numbers(row, names):
    found = []
    for name in names:
        values = row[name] if isinstance(row[name], list) else [row[name]]
        for value in values:
            number = _number(value)
            if number is None:
                raise ValueError(f"expected a number in {name!r}, got {value!r}")
            found.append(number)
    return found


def _number(value):
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and "_" in value:  # Python's own way to write numbers
        return None
    for kind in (int, float) if isinstance(value, str) else (float,):  # int would cut a decimal to a whole number
        try:
            return kind(value)
        except (TypeError, ValueError):
            continue
    return None
