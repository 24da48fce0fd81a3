"""Beam over a SavedModel: nothing lost, nothing twice, and the same numbers when a pipeline runs again."""

import csv
import decimal
import io
import itertools
import json
import re
import types
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("apache_beam", reason="needs flowzoo[beam]")

import apache_beam as beam
import pyarrow
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import util as testing
from pyarrow import parquet

import flowzoo
from flowzoo.beam import (
    BAD,
    Encode,
    Range,
    ReadConditions,
    ReadRecords,
    Sample,
    Score,
    WriteRecords,
    records,
    transforms,
)
from flowzoo.beam.__main__ import main
from flowzoo.core.space import Space
from flowzoo.serving import export
from flowzoo.serving.tensor_specs import Spec
from tests import cases

pytestmark = pytest.mark.beam
# the switch keeps the DirectRunner from Prism, a program that it would have to download
DIRECT = ["--runner=DirectRunner", "--allow_unsafe_triggers", "--direct_num_workers=1"]
TWO = [*DIRECT[:2], "--direct_num_workers=2", "--direct_running_mode=multi_processing"]

CONDITION = "radial-condition"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An exported flow."""
    return export(cases.flow("realnvp"), tmp_path_factory.mktemp("model") / "1")


def write(path, count):
    """A table of points; every 97th is bad. Returns the points and which are good."""
    x = np.random.default_rng(0).normal(size=(count, 2)).astype("float32")
    bad = {"nan,0": 0, "0,inf": 30, "0": 60, "0,0,0": 61, "one,0": 62, ",0": 63, '"0,0': 64}
    lines = [f"{a!r},{b!r}" for a, b in x.tolist()]
    good = np.ones(count, bool)
    for text, first in bad.items():
        for i in range(first, count, 97):
            lines[i], good[i] = text, False
    path.write_text("x0,x1\n" + "\n".join(lines) + "\n")
    return x, good


def read(folder, name):
    """The rows of all shards, by id."""
    tables = [parquet.read_table(path) for path in sorted(folder.glob(f"{name}-*.parquet"))]
    found = pyarrow.concat_tables(tables).to_pylist()
    by_id = {row["id"]: row for row in found}
    assert len(by_id) == len(found)  # nothing twice
    return by_id


def read_rows(content, path, columns=None, conditions=None, **known):
    """The records of one file of this content."""
    return records.read(io.BytesIO(content), path, records.Wanted(columns, conditions or {}, **known))


def run(model, points, folder, count, options):
    """One pipeline of all three: results and bad records."""
    folder.mkdir()
    with beam.Pipeline(options=PipelineOptions(options)) as pipeline:
        records = pipeline | ReadRecords(str(points))
        for name, results, work in (
            ("scores", records | Score(model), Score),
            ("latents", records | Encode(model), Encode),
            ("samples", pipeline | Range(count) | Sample(model, seed=7, temperature=0.8), Sample),
        ):
            _ = results[0] | name >> WriteRecords(f"{folder}/{name}.parquet", work.COLUMNS)
            _ = results[1] | f"bad {name}" >> WriteRecords(f"{folder}/bad-{name}.parquet", BAD)
    return {path: read(folder, path) for path in ("scores", "latents", "samples", "bad-scores", "bad-latents")}


@pytest.mark.parametrize("count", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_nothing_is_lost_or_twice_and_a_restart_gives_the_same(count, model, tmp_path):
    flow, points = cases.flow("realnvp"), tmp_path / "points.csv"
    x, good = write(points, count)
    first = run(model, points, tmp_path / "first", count, TWO)
    ids = [f"{points}:{i}" for i in range(count)]
    wanted = {name for name, is_good in zip(ids, good, strict=True) if is_good}
    assert set(first["scores"]) == set(first["latents"]) == wanted
    assert set(first["bad-scores"]) == set(first["bad-latents"]) == set(ids) - wanted
    reasons = {first["bad-scores"][ids[i]]["reason"] for i in (0, 30, 60, 61, 62, 63)}
    assert reasons == {
        "expected finite numbers in `x`, got NaN or infinity",
        "expected 2 cells, got 1",
        "expected 2 cells, got 3",
        "expected a number in 'x0', got 'one'",
        "expected a number in 'x0', got ''",
    }
    scored = np.array([first["scores"][name]["log_prob"] for name in ids if name in wanted])
    np.testing.assert_allclose(scored, flow.score(x[good]), rtol=1e-4, atol=1e-4)
    assert set(first["samples"]) == set(range(count))
    samples = np.array([first["samples"][i]["x"] for i in range(count)])
    np.testing.assert_allclose(samples, flow.sample(count, seed=7, temperature=0.8), rtol=1e-4, atol=1e-4)
    assert run(model, points, tmp_path / "again", count, DIRECT) == first  # to the last bit


def test_a_command_reads_and_writes_every_kind_of_file(model, tmp_path):
    x = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    table = pyarrow.table({"b": x[:, 1], "a": x[:, 0], "name": ["p"] * 5})
    parquet.write_table(table, tmp_path / "points.parquet")
    expected = cases.flow("realnvp").score(x)
    words = [str(model), str(tmp_path / "points.parquet")]
    bad = f"--bad={tmp_path}/bad.jsonl"
    main(["score", *words, str(tmp_path / "scores.csv"), "--columns=a,b", bad, *DIRECT])
    lines = next(tmp_path.glob("scores-*.csv")).read_text().splitlines()
    found = list(csv.DictReader(lines))
    assert [row["id"] for row in sorted(found, key=lambda row: row["id"])] == [f"{words[1]}:{i}" for i in range(5)]
    scores = [float(row["log_prob"]) for row in sorted(found, key=lambda row: row["id"])]
    np.testing.assert_allclose(scores, expected, rtol=1e-4)
    main(["sample", str(model), "5", str(tmp_path / "samples.tfrecord"), "--seed=3", bad, *DIRECT])
    again = list(tmp_path.glob("samples-*.tfrecord"))
    main(["score", str(model), str(again[0]), str(tmp_path / "scored.jsonl"), bad, *DIRECT])
    scored = [json.loads(line) for line in next(tmp_path.glob("scored-*.jsonl")).read_text().splitlines()]
    page = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
    example = next(text for text in re.findall(r"```text\n(.*?)```", page, re.DOTALL) if "Pipeline" in text)
    example = example.replace("/models/maf-bsds300/1", str(model)).replace(
        "gs://bucket/patches-*", f"{tmp_path}/points"
    )
    options = PipelineOptions(DIRECT)
    exec(example.replace("gs://bucket", f"{tmp_path}/docs"), {"beam": beam, "options": options})
    assert not parquet.read_table(next(tmp_path.glob("docs/scores-*"))).num_rows  # its table has a text column
    assert len(next(tmp_path.glob("docs/bad-*")).read_text().splitlines()) == 5
    samples = cases.flow("realnvp").sample(5, seed=3)
    np.testing.assert_allclose(
        sorted(row["log_prob"] for row in scored), np.sort(cases.flow("realnvp").score(samples)), rtol=1e-4
    )


def test_rows_that_cannot_be_read_are_bad():
    def reasons(content, path, columns=None):
        return [record.get("reason", "") for record in read_rows(content, path, columns)]

    assert reasons(b"1,2\n3,4\n", "points.csv") == ["", ""] and reasons(b"", "points.csv") == []
    assert "must end in .csv" in reasons(b"", "points.txt")[0]
    whole = "the file can't be read from here on: "
    missing = f"{whole}no column 'c'. Known: a, b."
    assert reasons(b"a,b\n1,2\n", "points.csv", ["c"]) == [missing]
    for content, reason in (
        (b"NA,1\n2,3\n", "line 1: cell 1: expected a number, or names and no numbers in the line, got 'NA'. "),
        (b"1.5x,1\n2,3\n", "line 1: cell 1: expected a number, or names and no numbers in the line, got '1.5x'. "),
        (b"a,a\n1,2\n", "columns must have distinct names, got 'a' more than once."),
        (b"\xff\xfe1\0", "line 1: expected text in UTF-8, got something else"),
        (b'"a,b\n1,2\n', "line 1: unexpected end of data"),
    ):
        assert [text.startswith(whole + reason) for text in reasons(content, "points.csv")] == [True], content
    assert reasons(b"x\n1\n\n2\n\n", "points.csv") == ["", "expected 1 cells, got an empty line", ""]
    assert "can't be read" in reasons(b"nothing", "points.parquet")[0]
    record = next(read_rows(b"a,b,label\n1,2.5,1\n", "points.csv", None, {"condition": ["label"]}))
    assert record == {"id": "points.csv:0", "x": [1, 2.5], "condition": [1]}
    named = read_rows(b"x1,x0,y\n2,1,3\n", "points.csv", None, {"condition": ["y"]})
    assert [record["x"] for record in named] == [[1, 2]]  # x0, x1, ... say their order
    huge = b"1" * 2**18  # more than Python's csv takes: only of its line
    assert [bool(reason) for reason in reasons(b"1,2\n1_0,2\n%b,2\n3,4\n" % huge, "points.csv")] == [0, 1, 1, 0]
    table = io.BytesIO()
    parquet.write_table(pyarrow.table({"a": [decimal.Decimal("1.50")]}), table)
    assert next(read_rows(table.getvalue(), "points.parquet"))["x"] == [1.5]
    for names, values, reason in (
        (["a", "a"], [[1], [2]], "columns must have distinct names, got 'a' more than once"),
        (["a", "b"], [[True], [1]], "expected a number in 'a', got True"),
        (["a", "b"], [[None], [1]], "expected a number in 'a', got None"),
    ):
        table = io.BytesIO()
        parquet.write_table(pyarrow.table(values, names=names), table)
        assert reason in reasons(table.getvalue(), "points.parquet")[0]


def test_columns_are_taken_by_the_names_that_the_flow_knows(caplog):
    known = {"known": ["a", "b"], "known_conditions": {"condition": ["c"]}}
    example, table = tf.train.Example(), io.BytesIO()
    for name, value in (("b", 2.0), ("c", 3.0), ("a", 1.0)):
        example.features.feature[name].float_list.value.append(value)
    parquet.write_table(pyarrow.table({"b": [2.0], "more": [0.0], "c": [3.0], "a": [1.0]}), table)
    assert next(read_rows(table.getvalue(), "1.parquet", **known)) == {
        "id": "1.parquet:0",
        "x": [1, 2],
        "condition": [3],
    }
    for columns in (None, ["a", "b"], ["b", "a"]):  # as `flowzoo score` has it
        record = next(read_rows(b"b,c,a\n2,3,1\n", "1.csv", columns, **known))
        assert record == {"id": "1.csv:0", "x": [1, 2], "condition": [3]}
    missing = next(read_rows(b"b,c\n2,3\n", "1.csv", **known))["reason"]
    assert "expected the columns of the flow, a, b, got b, c" in missing
    assert next(read_rows(b"1,2\n", "1.csv", **known))["x"] == [1, 2]
    assert not caplog.text.count("is taken for a row of numbers")
    assert next(read_rows(b"0,1\n1,2\n", "1.csv", **known))["x"] == [0, 1]
    assert caplog.text.count("1.csv: the first line, 0, 1, is taken for a row of numbers") == 1
    first = {"first": ("0.csv", ["a", "label", "b"])}
    for content in (b"b,a,label\n2,1,0\n", b"a,b,label\n1,2,0\n"):
        assert next(read_rows(content, "1.csv", None, {"condition": ["label"]}, **first))["x"] == [1, 2]
    other = next(read_rows(b"a,z,label\n1,2,0\n", "1.csv", None, {"condition": ["label"]}, **first))["reason"]
    assert "expected the columns of 0.csv, a, b, got a, z" in other


def test_several_conditions_are_taken_by_their_names(tmp_path):
    wanted = {"size": ["u", "v"], "label": ["y"]}
    expected = {"id": "1.csv:0", "x": [1, 2], "size": [3, 4], "label": [0]}
    content = b"v,a,y,b,u\n4,1,0,2,3\n"
    assert next(read_rows(content, "1.csv", ["a", "b"], wanted)) == expected
    assert next(read_rows(content, "1.csv", known=["a", "b"], known_conditions=wanted)) == expected
    renamed = read_rows(content.replace(b"y", b"class"), "1.csv", None, {"label": ["class"]}, known_conditions=wanted)
    assert next(renamed) == expected  # the others are those that the flow knows
    assert (
        "no column 'w'. Known: a, b, u, v, y" in next(read_rows(content, "1.csv", None, {"size": ["u", "w"]}))["reason"]
    )
    example = tf.train.Example()
    for name, values in (("x", [1, 2]), ("size", [3, 4]), ("label", [0])):
        example.features.feature[name].int64_list.value.extend(values)
    with tf.io.TFRecordWriter(str(tmp_path / "1.tfrecord")) as file:
        file.write(example.SerializeToString())
    own = {name: [name] for name in wanted}
    found = next(read_rows((tmp_path / "1.tfrecord").read_bytes(), "1.tfrecord", None, own))
    assert found == expected | {"id": "1.tfrecord:0"}


def test_a_pipeline_takes_several_conditions_by_name(tmp_path):
    """By the names that the flow knows, and by those that are asked for, as by columns in another order."""
    options = {"event_shape": (2,), "bits": 0, "hidden": 4, "depth": 1}
    flow = cases.randomized(
        flowzoo.create("realnvp", condition={"size": Space((2,)), "label": Space.integers((), 3)}, **options)
    )
    numbers = np.random.default_rng(0)
    x, size = numbers.normal(size=(2, 4, 2)).astype("float32")
    label = np.arange(4, dtype="int32") % 3
    expected = flow.log_prob(x, {"size": size, "label": label}).numpy()
    flow.intake.columns, flow.intake.named_columns = ["a", "b"], {"size": ["u", "v"], "label": ["y"]}
    model = export(flow, tmp_path / "1")
    table = np.concatenate([size[:, 1:], label[:, None], x, size[:, :1]], axis=1).tolist()
    rows_of = "".join(",".join(f"{value:.9g}" for value in row) + "\n" for row in table)
    (tmp_path / "known.csv").write_text("v,y,a,b,u\n" + rows_of)
    (tmp_path / "asked.csv").write_text("w,digit,a,b,u\n" + rows_of)
    for name, asked in (("known", []), ("asked", ["--condition=size=u,w", "--condition=label=digit"])):
        out = tmp_path / name
        main(["score", str(model), f"{tmp_path}/{name}.csv", f"{out}/s.jsonl", f"--bad={out}/b.jsonl", *asked, *DIRECT])
        lines = [json.loads(line) for path in out.glob("s-*") for line in path.read_text().splitlines()]
        found = [row["log_prob"] for row in sorted(lines, key=lambda row: row["id"])]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_samples_take_the_conditions_of_a_file(tmp_path, capsys):
    """By names, by what the flow knows, and of a file of nothing else; the rows number the samples."""
    flow, (_, condition) = cases.new_flow(CONDITION), cases.flow_data(CONDITION, 5)
    plain = export(flow, tmp_path / "plain" / "1")
    flow.intake.condition_columns = [f"c{i}" for i in range(condition.shape[1])]
    named = export(flow, tmp_path / "named" / "1")
    cells = [",".join(f"{value:.9g}" for value in row) for row in condition.tolist()]
    names = ",".join(flow.condition_columns)
    (tmp_path / "given.csv").write_text(f"other,{names}\n" + "".join(f"7,{row}\n" for row in cells))
    (tmp_path / "alone.csv").write_text("\n".join([*cells[:2], "one,2,3", *cells[3:]]) + "\n")
    expected = flow.sample(5, condition, seed=3).numpy()
    for model, file, asked in (
        (plain, "given", [f"--condition={names}"]),
        (named, "given", []),
        (plain, "alone", []),
    ):
        out = tmp_path / f"{model.parent.name}-{file}"
        files = f"{tmp_path}/{file}.csv", f"{out}/s.jsonl", f"--bad={out}/b.jsonl"
        main(["sample", str(model), *files, "--seed=3", *asked, *DIRECT])
        found, bad = ([json.loads(line) for path in out.glob(f"{name}-*") for line in path.open()] for name in "sb")
        good = {row["id"]: row["x"] for row in found}
        assert sorted(good) == ([0, 1, 3, 4] if file == "alone" else [0, 1, 2, 3, 4])
        assert [row["id"] for row in bad] == ([f"{tmp_path}/alone.csv:2"] if file == "alone" else [])
        np.testing.assert_allclose([good[i] for i in sorted(good)], expected[sorted(good)], rtol=1e-4, atol=1e-4)
    shard = tmp_path / "g-00000-of-00001.csv"
    shard.write_text("1,2,3\n")
    with pytest.raises(SystemExit):
        main(["sample", str(plain), str(shard), f"{tmp_path}/g.csv", f"--bad={tmp_path}/b.jsonl"])
    assert "must not replace an input" in capsys.readouterr().err


def test_samples_take_one_file_only(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("1\n2\n")
    pipeline = beam.Pipeline(options=PipelineOptions(DIRECT))
    _ = pipeline | ReadConditions(f"{tmp_path}/*.csv")
    with pytest.raises(Exception, match="conditions of samples must be in one file, whose rows number them"):
        pipeline.run()


def test_a_pipeline_asks_the_model_and_the_first_file(tmp_path):
    flow, (x, _) = cases.new_flow("realnvp"), cases.flow_data("realnvp", 4)
    x, expected = x.astype("float64"), flow.score(x)
    plain = export(flow, tmp_path / "plain" / "1")
    flow.intake.columns = ["a", "b"]
    named = export(flow, tmp_path / "named" / "1")
    for i, order in enumerate(([0, 1], [1, 0])):
        rows_of = "".join(f"{row[order[0]]!r},{row[order[1]]!r}\n" for row in x[2 * i : 2 * i + 2].tolist())
        (tmp_path / f"{i}.csv").write_text(",".join("ab"[k] for k in order) + "\n" + rows_of)
        (tmp_path / f"reversed-{1 - i}.csv").write_text(",".join("ab"[k] for k in order) + "\n" + rows_of)
    for model, pattern in ((plain, "?.csv"), (named, "?.csv"), (named, "reversed-?.csv")):
        out = tmp_path / model.parent.name / pattern[:3].strip("?.")
        main(["score", str(model), f"{tmp_path}/{pattern}", f"{out}/s.jsonl", f"--bad={out}/bad.jsonl", *DIRECT])
        lines = [json.loads(line) for path in out.glob("s-*") for line in path.read_text().splitlines()]
        found = [row["log_prob"] for row in sorted(lines, key=lambda row: row["id"])]
        if "reversed" in pattern:
            found = found[2:] + found[:2]
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_cut_tfrecord_gives_its_whole_records_and_a_bad_one(tmp_path):
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.extend([1.0, 2.0])
    with tf.io.TFRecordWriter(str(tmp_path / "x.tfrecord")) as file:
        for _ in range(2):
            file.write(example.SerializeToString())
    content = (tmp_path / "x.tfrecord").read_bytes()
    for cut in (1, len(content) // 2 - 1, len(content) // 2 - 5):  # in the checksum, in the length, in its checksum
        first, *others = read_rows(content[:-cut], "x.tfrecord")
        assert first["x"] == [1, 2] and len(others) == 1 and "can't be read from here on" in others[0]["reason"]


def test_no_input_is_replaced(model, tmp_path, capsys, monkeypatch):
    folder, link = tmp_path / "points", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    shard = folder / "points-00000-of-00001.csv"
    shard.write_text("1,2\n")
    monkeypatch.chdir(folder)
    places = ("", "./", f"{folder}/", f"{link}/", "../points/")
    for pattern, out in itertools.product(places, repeat=2):
        with pytest.raises(SystemExit):
            main(["score", str(model), f"{pattern}points-*.csv", f"{out}points.csv", f"--bad={tmp_path}/bad.jsonl"])
        assert "must not replace an input" in capsys.readouterr().err
    assert shard.read_text() == "1,2\n" and list(folder.iterdir()) == [shard]


def test_a_pattern_of_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "points-1.csv").write_text("1,2\n")
    monkeypatch.chdir(tmp_path)
    with beam.Pipeline(options=PipelineOptions(DIRECT)) as pipeline:
        x = pipeline | ReadRecords("points-*.csv") | beam.Map(lambda record: list(record["x"]))
        testing.assert_that(x, testing.equal_to([[1.0, 2.0]]))


def test_results_and_bad_records_are_kept_apart(model, tmp_path, capsys):
    shard = tmp_path / "points-00000-of-00001.csv"
    shard.write_text("1,2\n")
    same = f"../{tmp_path.name}/scores.csv"
    for out, bad in (("points.csv", "bad.jsonl"), ("scores.csv", "points.csv"), ("scores.csv", same)):
        with pytest.raises(SystemExit):
            main(["score", str(model), f"{tmp_path}/points-*.csv", f"{tmp_path}/{out}", f"--bad={tmp_path}/{bad}"])
        error = capsys.readouterr().err
        assert "must not replace an input" in error or "must be another file" in error
    assert shard.read_text() == "1,2\n" and list(tmp_path.iterdir()) == [shard]


def test_no_file_is_no_empty_result(tmp_path):
    with pytest.raises(Exception, match="Empty match"), beam.Pipeline(options=PipelineOptions(DIRECT)) as pipeline:
        _ = pipeline | ReadRecords(f"{tmp_path}/points-*.csv")


def test_a_record_that_the_graph_refuses_is_bad_alone(model):
    flow, (x, _), work = cases.flow("realnvp"), cases.flow_data("realnvp", 64), Score(model)
    compute, asked = transforms._Compute(str(model), work._rows(), 64), []
    compute.setup()
    answer = compute._model.compute

    def refusing(signature, inputs):
        asked.append(len(inputs["x"]))
        if (inputs["x"] > 100).any():
            raise tf.errors.InvalidArgumentError(None, None, "expected less")
        return answer(signature, inputs)

    compute._model = types.SimpleNamespace(compute=refusing, dims=2)
    x[1] = 1000.0
    found = list(compute.process([(str(i), {"x": row}) for i, row in enumerate(x)]))
    assert [getattr(one, "value", one)["id"] for one in found] == [str(i) for i in range(64)]
    assert asked == [64] * 13  # halves of halves, not each row alone
    assert "expected less" in found[1].value["reason"]
    np.testing.assert_allclose(found[2]["log_prob"], flow.log_prob(x)[2], rtol=1e-4)
    check = transforms._Check(str(model), work._rows())
    check.setup()
    for x, reason in (
        ([0], "2 numbers"),
        (["a", "b"], "expected numbers in `x`"),
        ([0, np.inf], "finite"),
        ([0, 1e300], "finite"),
    ):
        assert reason in next(check.process({"id": 1, "x": x})).value["reason"]
    assert "expected `x`" in next(check.process({"id": 1})).value["reason"]
    assert "with an `id`" in next(check.process({"x": [0, 0]})).value["reason"]
    with pytest.raises(ValueError, match="`temperature` must be a finite number >= 0, got -1"):
        Sample(model, temperature=-1)
    draws = transforms._Check(str(model), Sample(model)._rows())
    draws.setup()
    for number in (-1, 2**32, "one"):
        assert "an integer 0 ... 2^32 - 1" in next(draws.process(number)).value["reason"]


def test_a_condition_goes_along(tmp_path):
    flow, (x, condition), work = cases.flow(CONDITION), cases.flow_data(CONDITION, 3), Score("")
    path = str(export(flow, tmp_path / "1"))
    check, compute = transforms._Check(path, work._rows()), transforms._Compute(path, work._rows(), 4)
    check.setup(), compute.setup()
    records = [{"id": i, "x": x[i].tolist(), "condition": condition[i].tolist()} for i in range(3)]
    found = [result["log_prob"] for result in compute.process([next(check.process(record)) for record in records])]
    np.testing.assert_allclose(found, flow.log_prob(x, condition), rtol=1e-4, atol=1e-4)
    reason = next(check.process({"id": 1, "x": [0, 0]})).value["reason"]
    assert "expected `condition`, got only id, x (ReadRecords, ReadConditions and --condition name" in reason


def test_a_flat_record_may_be_a_sequence_of_any_length():
    rows, specs = transforms._Rows("log_prob"), {"condition": Spec("float32", (None, None, 5))}
    for value in (list(range(20)), np.arange(20).reshape(4, 5).tolist()):
        found = rows.row({"id": 0, "condition": value}, specs)["condition"]
        np.testing.assert_array_equal(found, np.arange(20).reshape(4, 5))
    with pytest.raises(ValueError, match="expected a multiple of 5 numbers in `condition`, got 21"):
        rows.row({"id": 0, "condition": list(range(21))}, specs)
