"""Records from and to files, with ids that say where they came from."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.io.filesystems import FileSystems

from flowzoo.beam import records
from flowzoo.core.space import ONE

COLUMNS = "columns.json"  # in the assets of a SavedModel: `serving.saved_model` writes it, with TensorFlow
CHUNK = 1024  # numbers that one worker makes at a time for `Range`
KINDS = {"text": "string", "integer": "int64", "number": "float32"}  # of columns, and Arrow's for them; and "numbers"


class ReadRecords(beam.PTransform):
    """Records {"id", "x", "condition"} of `.csv`, `.parquet` and `.tfrecord` files (of tf.train.Example).

    Several conditions come under their own names in place of "condition".

    The id is "<path>:<row>", so it stays the same when a pipeline runs again. What can't be read has a "reason" in
    place of x, which `Score` and `Encode` pass on to their bad output. Each file is read by one worker. A pattern that
    matches no file fails.

    Args:
      pattern: of files, such as "gs://bucket/points-*.csv".
      columns: names of those that make x, in this order. If not given, those that the flow of `model` was fitted on, by
        name; if it knows none, all but the condition's, by number if they are called x0, x1, ..., else in the order of
        the first file by name ("x" of an Example). A file without names is taken as it stands.
      condition: names of the columns that make it, or of several a dict of such by the conditions' names; if not given,
        those that the flow knows.
      model: the folder of the SavedModel that the records are for, where the workers can read it.
    """

    def __init__(
        self,
        pattern: str,
        columns: Sequence[str] | None = None,
        condition: Sequence[str] | Mapping[str, Sequence[str]] = (),
        model: str | None = None,
    ):
        super().__init__()
        self._pattern, self._model = _local(pattern), None if model is None else str(model)
        self._wanted = records.Wanted(columns, _by_name(condition))

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """A collection of records."""
        return _records(pipeline, self._pattern, self._wanted, self._model) | beam.Reshuffle()


class ReadConditions(beam.PTransform):
    """Records {"id", "condition"} of one `.csv`, `.parquet` or `.tfrecord` file, for `Sample`.

    The id is the number of the row, from 0, so that sample i is row i of `flow.sample(n, condition, seed=seed)`.

    Args:
      path: of the file.
      condition, model: as for `ReadRecords`; if no columns are named or known, all of them make the condition.
    """

    def __init__(
        self, path: str, condition: Sequence[str] | Mapping[str, Sequence[str]] = (), model: str | None = None
    ):
        super().__init__()
        self._path, self._model = _local(path), None if model is None else str(model)
        self._wanted = records.Wanted(conditions=_by_name(condition), x=False)

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """A collection of records."""
        found = _records(pipeline, self._path, self._wanted, self._model)
        return found | beam.Map(_numbered) | beam.Reshuffle()


class Range(beam.PTransform):
    """The integers 0 ... count - 1, made where they are needed: the ids of samples."""

    def __init__(self, count: int):
        super().__init__()
        self._count = count

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """A collection of integers."""
        starts = pipeline | beam.Create(range(0, self._count, CHUNK)) | beam.Reshuffle()
        return starts | beam.FlatMap(_chunk, self._count)


class WriteRecords(beam.PTransform):
    """Records as `.csv`, `.parquet`, `.tfrecord` or `.jsonl`, in shards that appear when they are complete.

    TFRecord's numbers are float32: samples of time stamps keep their digits in the other formats only.

    Args:
      path: such as "gs://bucket/scores.parquet", which becomes scores-00000-of-00003.parquet.
      columns: of the records: `Score.COLUMNS` and so on.
      shards: how many files; the runner's choice if 0.
    """

    def __init__(self, path: str, columns: Mapping[str, str], shards: int = 0):
        super().__init__()
        self._prefix, dot, suffix = path.rpartition(".")
        self._columns, self._options = dict(columns), {"file_name_suffix": dot + suffix, "num_shards": shards}
        self._how = {"csv": self._csv, "parquet": self._parquet, "tfrecord": self._tfrecord, "jsonl": self._jsonl}
        if suffix not in self._how:
            raise ValueError(f"`path` must end in {', '.join(f'.{known}' for known in self._how)}, got {path!r}.")
        self._suffix = suffix

    def expand(self, records: beam.PCollection) -> Any:
        """The result of the sink."""
        return self._how[self._suffix](records)

    def _csv(self, records):
        lines = records | beam.Map(_line, self._columns)
        return lines | beam.io.WriteToText(self._prefix, header=",".join(self._columns), **self._options)

    def _jsonl(self, records):
        return records | beam.Map(json.dumps) | beam.io.WriteToText(self._prefix, **self._options)

    def _parquet(self, records):
        import pyarrow

        types = {name: pyarrow.type_for_alias(alias) for name, alias in KINDS.items()}
        types["numbers"] = pyarrow.list_(pyarrow.float64())  # as samples of flows with `standardize` are
        schema = pyarrow.schema([(name, types[kind]) for name, kind in self._columns.items()])
        return records | beam.io.WriteToParquet(self._prefix, schema, **self._options)

    def _tfrecord(self, records):
        examples = records | beam.Map(_example, self._columns)
        return examples | beam.io.WriteToTFRecord(self._prefix, **self._options)


def shards_among(pattern: str, path: str) -> list[str]:
    """The files of a pattern that `WriteRecords(path, ...)` may replace: its shards, however the folder is spelt."""
    prefix, dot, suffix = resolved(path).rpartition(".")
    shard = re.compile(re.escape(prefix) + r"-\d+-of-\d+" + re.escape(dot + suffix))
    found = FileSystems.match([_local(pattern)])[0].metadata_list
    return [file.path for file in found if shard.fullmatch(resolved(file.path))]


def _local(pattern):
    """A pattern with its folder: Beam does not find "x-*.csv" in the working folder."""
    return pattern if FileSystems.get_scheme(pattern) else os.path.abspath(pattern)


def resolved(path: str) -> str:
    """The one path for all spellings of a place; links are followed."""
    return path if FileSystems.get_scheme(path) else os.path.realpath(path)


def _by_name(condition):
    by_name = condition if isinstance(condition, Mapping) else {ONE: condition} if condition else {}
    return {name: tuple(names) for name, names in by_name.items()}


def _records(pipeline, pattern, wanted, model):
    """The records of all files that match."""
    found = pipeline | fileio.MatchFiles(pattern, fileio.EmptyMatchTreatment.DISALLOW)
    paths = found | beam.Map(lambda file: file.path)
    completed = paths | beam.combiners.Top.Smallest(2) | beam.Map(_completed, wanted, model)
    files = found | fileio.ReadMatches()
    return files | beam.FlatMap(_read, beam.pvalue.AsSingleton(completed))


def _numbered(record):
    """The record with the number of its row as id; a bad one keeps the name of the file."""
    return record if "reason" in record else {**record, "id": int(record["id"].rpartition(":")[2])}


def _completed(paths, wanted, model):
    """`wanted`, with what the flow knows, and the names in the first of the files."""
    if not wanted.x and len(paths) > 1:
        raise ValueError(
            f"conditions of samples must be in one file, whose rows number them, got {paths[0]}, {paths[1]} and so on. "
            "Join the files, or make records of {'id': i, 'condition': ...} yourself."
        )
    known = {}
    place = None if model is None else FileSystems.join(model, "assets", COLUMNS)
    if place and FileSystems.exists(place):
        with FileSystems.open(place) as file:
            known = json.load(file)
    with FileSystems.open(paths[0]) as file:
        first = (paths[0], records.column_names(file, paths[0]))
    conditions = known.get("conditions") or {}
    if known.get("condition_columns"):  # of the only condition, as earlier exports have it
        conditions = {ONE: known["condition_columns"]}
    return dataclasses.replace(wanted, first=first, known=known.get("columns") or (), known_conditions=conditions)


def _read(file, wanted):
    with file.open() as content:
        yield from records.read(content, file.metadata.path, wanted)


def _chunk(start, count):
    return range(start, min(start + CHUNK, count))


def _line(record, columns):
    import csv
    import io

    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(
        json.dumps(record[name]) if kind == "numbers" else record[name] for name, kind in columns.items()
    )
    return line.getvalue()


def _example(record, columns):
    import tensorflow as tf

    features = {}
    for name, kind in columns.items():
        value = record[name]
        if kind == "text":
            features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        elif kind == "integer":
            features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        else:
            values = value if kind == "numbers" else [value]
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
