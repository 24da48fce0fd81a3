"""Rows of files as records: {"id", "x"} and conditions by name, or {"id", "reason"} for one that can't be read."""

from __future__ import annotations

import csv
import dataclasses
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from flowzoo.core.columns import Columns, doubt, header, listed, number, require_each_once
from flowzoo.core.space import ONE

Record = dict[str, Any]
SUFFIXES = (".csv", ".parquet", ".tfrecord")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which columns of files make x and each condition, in which order.

    Attributes:
      columns: of x, by name; None for those that the flow knows, else all but the conditions': by number if they are
        called x0, x1, ..., or in the order of `first`.
      conditions: by name, one column of labels or several of numbers; those left out are the ones that the flow knows.
      x: whether x is wanted, too; without it all columns make the condition, unless some are named or known.
      known, known_conditions: the names that the flow was fitted on; empty if it knows none.
      first: the path of the first of the files, and the names of its columns, or None if it has none.
    """

    columns: Sequence[str] | None = None
    conditions: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    x: bool = True
    known: Sequence[str] = ()
    known_conditions: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    first: tuple[str, Sequence[str] | None] = ("", None)

    def named(self, names: Sequence[str] | None, count: int, path: str) -> dict[str, list[str]]:
        """The names of the columns in a file that make x, if it is wanted, and of those that make each condition.

        Args:
          names: of its columns; None if it has no header, which calls them x0, x1, ...
          count: of its columns.
          path: what it is called in errors.

        Raises:
          ValueError: one is missing, or its name appears twice.
        """
        bare, names = names is None, _numbered(count) if names is None else names
        given = self.conditions if bare else {**self.known_conditions, **self.conditions}
        conditions = {name: self._condition(name, names, path) for name in given}
        taken = {column for columns in conditions.values() for column in columns}
        others = [name for name in names if name not in taken]
        if not self.x:
            require_each_once([name for name in names if name in taken] if conditions else names, "columns")
            return conditions or {ONE: names}
        if bare and not self.columns:
            if self.known:
                logging.warning("%s names no columns: they are taken for %s, in this order", path, listed(self.known))
            return {"x": others} | conditions
        columns = Columns(self.columns, self.known, _numbered(len(others)))
        if not self.columns and not self.known and self.first[1]:
            columns.places([name for name in self.first[1] if name not in taken], self.first[0])
        pool = names if self.columns or self.known else others
        x = [pool[place] for place in columns.places(pool, path)]
        require_each_once([name for name in names if name in {*x, *taken}], "columns")
        return {"x": x} | conditions

    def _condition(self, name, names, path):
        columns = Columns(self.conditions.get(name, ()), self.known_conditions.get(name, ()))
        return [names[place] for place in columns.places(names, path)]


def _numbered(count):
    return [f"x{i}" for i in range(count)]


def column_names(file: IO[bytes], path: str) -> list[str] | None:
    """The names of the columns of a file; None where it has none, or can't be read."""
    try:
        if path.endswith(".parquet"):
            import pyarrow.parquet

            return pyarrow.parquet.ParquetFile(file).schema_arrow.names
        lines = io.TextIOWrapper(file, "utf-8-sig", errors="replace") if path.endswith(".csv") else ()
        cells = (next(csv.reader([line], strict=True), []) for line in lines)
        return next((header(row) for row in cells if row and not (len(row) == 1 and row[0].isspace())), None)
    except Exception:  # reading its rows will say why
        return None


def read(file: IO[bytes], path: str, wanted: Wanted) -> Iterator[Record]:
    """The records of one file in their order; the id is "<path>:<number of the row>".

    Args:
      file: its content.
      path: its name, whose suffix says what it is.
      wanted: which of its columns.
    """
    format_rows = {".csv": _csv, ".parquet": _parquet, ".tfrecord": _tfrecord}
    reader = next((reader for suffix, reader in format_rows.items() if path.endswith(suffix)), None)
    if reader is None:
        yield {"id": path, "reason": f"the name must end in {' or '.join(SUFFIXES)}"}
        return
    count = 0
    try:
        for count, content in enumerate(reader(file, path, wanted), 1):
            yield {"id": f"{path}:{count - 1}", **content}
    except Exception as error:  # the rest of a damaged file: nothing is lost silently
        yield {"id": f"{path}:{count}...", "reason": f"the file can't be read from here on: {error}"}


def _csv(file, path, wanted):
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
            places = _places(names, width, path, wanted)
            if names:
                gap = 0
                continue
            if doubted := doubt(cells, path):
                logging.warning(doubted)
        for _ in range(gap if width == 1 else 0):  # there it may be a missing value; more cells than one can't be
            yield {"reason": "expected 1 cells, got an empty line"}
        gap = 0
        if len(cells) != width:
            yield {"reason": f"expected {width} cells, got {len(cells)}"}
        else:
            yield _picked(cells, places)


def _header(cells, count):
    if any(set(cell) & {"\0", "\ufffd"} for cell in cells):
        raise ValueError(f"line {count}: expected text in UTF-8, got something else")
    try:
        return header(cells)
    except ValueError as error:
        raise ValueError(f"line {count}: {error}") from error


def _parquet(file, path, wanted):
    import pyarrow.parquet

    table = pyarrow.parquet.ParquetFile(file)
    names = table.schema_arrow.names
    places = _places(names, len(names), path, wanted)
    for batch in table.iter_batches():
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield _picked(row, places)


def _places(names, count, path, wanted):
    """(name, place) of those that make x, and of those that make each condition."""
    found, names = wanted.named(names, count, path), names or _numbered(count)
    return {part: [(name, names.index(name)) for name in some] for part, some in found.items()}


def _tfrecord(file, path, wanted):
    import tensorflow as tf
    from apache_beam.io.tfrecordio import _TFRecordUtil  # checks the checksums; Beam has no public one with positions

    while (content := _TFRecordUtil.read_record(file)) is not None:
        try:
            features = tf.train.Example.FromString(content).features.feature
            row = {name: _values(feature) for name, feature in features.items()}
        except Exception as error:
            yield {"reason": f"expected a tf.train.Example, got {len(content)} bytes of something else ({error})"}
            continue
        try:
            known = wanted.columns or (wanted.known if "x" not in row else ())  # "x" holds all of them
            each = dataclasses.replace(wanted, columns=known or ["x"], first=("", None))
            found = each.named(list(row), len(row), path)
            yield _picked(row, {part: [(name, name) for name in some] for part, some in found.items()})
        except ValueError as error:
            yield {"reason": str(error)}


def _values(feature):
    kind = feature.WhichOneof("kind")
    values = list(getattr(feature, kind).value) if kind else []
    return list(values[0]) if kind == "bytes_list" else values  # bytes are uint8 numbers


def _picked(row, places):
    try:
        return {part: _numbers(row, some) for part, some in places.items()}
    except ValueError as error:
        return {"reason": str(error)}


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
    for kind in (int, float) if isinstance(value, str) else (float,):  # int would truncate a decimal
        try:
            return kind(value)
        except (TypeError, ValueError):
            continue
    return None
