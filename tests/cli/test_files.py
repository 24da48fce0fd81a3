"""What the commands read and write: tables, arrays, folders of images; and what they say of what is wrong."""

import dataclasses
import os
import struct
import sys
import tracemalloc
import types
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from flowzoo.cli.batches import in_batches
from flowzoo.cli.main import BAD_INPUT, main
from flowzoo.cli.reading import Form, data, read, read_each
from flowzoo.cli.tables import read_table, write_table
from flowzoo.cli.writing import check_out, print_json, write_rows
from flowzoo.core.columns import Columns
from flowzoo.core.space import Space

PLANE, IMAGE = Form(Space((2,))), Form(Space.integers((2, 2, 1), 2**8))
POINTS = np.array([[0.1, -2.0], [1e-30, 3.4e38]], np.float32)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy"])
def test_what_is_written_is_read_back_to_the_last_bit(suffix):
    write_rows(f"x{suffix}", POINTS, "x")
    rows, files = read([f"x{suffix}"] * 2, PLANE)
    np.testing.assert_array_equal(rows, np.concatenate([POINTS, POINTS]))
    assert rows.dtype == np.float32 and list(files) == [f"x{suffix}"] * 4
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    write_rows(f"images{suffix}", images, "x")
    again, _ = read([f"images{suffix}"], IMAGE)
    np.testing.assert_array_equal(again, images)
    assert again.dtype == np.uint8


@pytest.mark.parametrize("text", ["1,2\n3,4\n", "b,a\n2,1\n4,3\n", '\ufeff"b","a"\n"2",1\n\n4, 3 \n'])
def test_csv_with_and_without_names(text):
    Path("x.csv").write_text(text, encoding="utf-8")
    columns = ["a", "b"] if "a" in text else None
    np.testing.assert_array_equal(read_table(Path("x.csv"), Columns(columns)), [[1, 2], [3, 4]])


def rows_of(*texts, form=PLANE, columns=None):
    """What is read of tables with these texts, each as a list of rows."""
    names = [f"{i}.csv" for i in range(len(texts))]
    for name, text in zip(names, texts, strict=True):
        Path(name).write_text(text)
    return [rows.tolist() for rows, _ in read_each([[name] for name in names], form, columns)]


def test_columns_are_taken_by_name(capsys):
    assert rows_of("x1,x0\n2,1\n", "x0,line,x1\n1,9,2\n") == [[[1, 2]], [[1, 2]]]  # as flowzoo writes them
    fitted = types.SimpleNamespace(x_space=Space((2,)), columns=["a", "b"])  # on a frame
    knowing = data(fitted)
    assert rows_of("b,a\n2,1\n", "a,c,b\n1,9,2\n", form=knowing) == [[[1, 2]], [[1, 2]]]
    assert rows_of("b,a\n2,1\n", form=knowing, columns=["b", "a"]) == [[[1, 2]]]
    assert rows_of("d,c\n2,1\n", form=knowing, columns=["c", "d"]) == [[[1, 2]]]  # renamed, and said so
    with pytest.raises(ValueError, match=r"0\.csv: line 1: expected the columns of the flow, a, b, got a, c\. Rename"):
        rows_of("a,c\n1,2\n", form=knowing)
    assert capsys.readouterr().err == ""
    assert rows_of("1,2\n", form=knowing) == [[[1, 2]]]
    assert capsys.readouterr().err == "flowzoo: note: 0.csv names no columns: they are taken for a, b, in this order\n"


def test_columns_are_taken_by_position_only_if_no_names_are_known_and_stderr_says_so(capsys):
    assert rows_of("b,a\n1,2\n", "a,b\n2,1\n") == [[[1, 2]], [[1, 2]]]  # the second is put in the order of the first
    note = "flowzoo: note: 0.csv: the flow knows no names, so columns are taken as they stand: b, a\n"
    assert capsys.readouterr().err == note
    with pytest.raises(ValueError, match=r"1\.csv: line 1: expected the columns of 0\.csv, b, a, got a, c\."):
        rows_of("b,a\n1,2\n", "a,c\n2,1\n")


def test_a_header_that_pandas_makes_of_numbers_is_a_row_and_stderr_says_so(capsys):
    assert rows_of("0,1\n1,2\n", '"0", 1\n') == [[[0, 1], [1, 2]], [[0, 1]]]
    note = "flowzoo: note: 0.csv: the first line, 0, 1, is taken for a row of numbers. If pandas wrote it to number"
    assert capsys.readouterr().err.startswith(note)
    rows_of("1,0\n0,1\n", "0,1.0\n", "x0,x1\n0,1\n")
    rows_of("0\n1\n", form=dataclasses.replace(PLANE, space=Space((1,))))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "text", [" a , b \r\n1,2\r\n", "a,\n1,2\n", "\na,b\n\n1,2\n   \n", "1st,é\n1,2\n", "\n1,2\n\n"]
)
def test_what_is_a_header_and_what_is_no_row(text):
    assert rows_of(text) == [[[1, 2]]]


@pytest.mark.parametrize(
    "line",
    [
        *("<NA>,NaT", "None,<NA>", "-,--", "#N/A N/A,1.#QNAN", "#DIV/0!,#REF!"),
        *("\u22121,\u22122", "(1),(2)", "\u20ac1,$2", "<1,~2"),  # a printed minus, amounts of money
    ],
)
def test_a_first_line_of_missing_values_is_no_header(line):
    with pytest.raises(ValueError, match=r"line 1: cell 1: expected a number"):
        rows_of(f"{line}\n1,2\n")


@pytest.mark.parametrize("name", ["x.csv", "x.npy", "x.parquet", "x.png"])
def test_a_named_pipe_is_refused_and_not_waited_for(name):
    os.mkfifo(name)
    with pytest.raises(ValueError, match=f"{name} is not a regular file, but a named pipe. Save"):
        read([name], PLANE)


def test_names_with_commas_and_quotes_survive():
    files = np.array(['a,"b".png', "c.png"])
    for name in ("x.csv", "x.parquet"):
        write_table(Path(name), {"file": files, "nats": np.array([1.5, 2.5])})
        np.testing.assert_array_equal(read_table(Path(name), Columns(["nats"])), [[1.5], [2.5]])
    assert parquet.read_table("x.parquet")["file"].to_pylist() == list(files)


@pytest.mark.parametrize(
    ("text", "form", "columns", "message"),
    [
        ("a,b\n1,2\n", PLANE, ["a", "bb"], "x.csv: line 1: no column 'bb'. Did you mean 'b'?"),
        ("1,2\n", PLANE, ["a"], "the first line must name the columns for --columns, got numbers"),
        ("a,b,c\n1,2,3\n", PLANE, None, "shape (2,) take 2 columns, got 3. Choose them by --columns"),
        ("a,b\n1,\n3,4\n", PLANE, None, "got NaN, infinity or nothing in 1 of 2 rows, first in row 0"),
        ("1,2\nnan,4\ninf,1\n", PLANE, None, "in 2 of 3 rows, first in row 1 (counted from 0). Remove or repair"),
        ("1,1e39\n", PLANE, None, "must be finite float32, got NaN, infinity or nothing in 1 of 1 rows"),
        ("a,b\n1,x\n", PLANE, None, "x.csv: line 2: cell 2: expected a number, got 'x'. Write numbers as 1234.5"),
        ("a,b,c\n1,2\n", PLANE, None, "line 2: expected 3 cells, as in the first line, got 2"),
        ("b\n1,2,3\n", PLANE, ["b"], "line 2: expected 1 cells, as in the first line, got 3"),
        ("a,a,b\n1,2,3\n", PLANE, ["a", "b"], "columns must have distinct names, got 'a' more than once"),
        ("x" * 200_000, PLANE, None, "x.csv: line 1: field larger than"),
        ("a,b\n1,2\n3\n", PLANE, None, "x.csv: line 3: expected 2 cells, as in the first line, got 1"),
        (
            "NA,1\n2,3\n",
            PLANE,
            None,
            "line 1: cell 1: expected a number, or names and no numbers in the line, got 'NA'",
        ),
        ("1.5x,1\n2,3\n", PLANE, None, "line 1: cell 1: expected a number, or names and no numbers in the line"),
        ("1,2.5y\n2,3\n", PLANE, None, "line 1: cell 2: expected a number, or names"),
        ('"1,000","2,000"\n3,4\n', PLANE, None, "line 1: cell 1: expected a number, or names"),
        ("NA,N/A\n3,4\n", PLANE, None, "line 1: cell 1: expected a number, or names"),
        ("1;2\n3;4\n", PLANE, None, "with commas only between cells"),
        ("a,a\n1,2\n", PLANE, None, "columns must have distinct names, got 'a' more than once"),
        ("a,b\n1,2\n", PLANE, ["a", "a"], "--columns must have distinct names, got 'a' more than once"),
        ("a,b\n1_0,2\n", PLANE, None, "line 2: cell 1: expected a number, got '1_0'"),
        ('a,b\n"1"5,2\n', PLANE, None, "line 2: "),
        ('a,b\n3,4\n"1,2\n5,6\n', PLANE, None, "line 4: unexpected end of data"),
        (
            "x\n1\n\n3\n",
            Form(Space((1,))),
            None,
            "expected a number in each line of one column, got an empty line 3",
        ),
        ("a,b\n", PLANE, None, "expected at least one row of examples"),
        ("", PLANE, None, "take 2 columns, got 0"),
        ("0,1,2,300\n", IMAGE, None, "must be integers 0 to 255, got 0 to 300"),
        ("0,1,2,-1e30\n", IMAGE, None, "must be integers 0 to 255, got -9007199254740992 to 2"),
        ("0,1,2,0.5\n0,1,,3\n", IMAGE, None, "must be integers 0 to 255, got something else in 2 of 2 rows"),
    ],
)
def test_a_wrong_csv_is_one_clear_line(text, form, columns, message, recwarn):
    Path("x.csv").write_text(text)
    with pytest.raises(ValueError) as error:
        read(["x.csv"], form, columns)
    assert message in str(error.value) and str(error.value).startswith(("x.csv", "--columns")) and not recwarn
    assert str(error.value).count("x.csv") <= 1


def test_a_csv_that_is_no_text():
    Path("x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"^x\.csv: expected a table in UTF-8, got: .*can't decode"):
        read(["x.csv"], PLANE)


def test_wrong_parquet():
    Path("x.parquet").write_bytes(b"no table")
    with pytest.raises(ValueError, match=r"x\.parquet: expected a Parquet file, got: "):
        read(["x.parquet"], PLANE)
    with pytest.raises(FileNotFoundError):
        read(["missing.parquet"], PLANE)
    parquet.write_table(pa.table({"a": [1, None], "b": [1.0, 2.0], "c": ["x", "y"]}), "x.parquet")
    for columns, message in [
        (None, "column 'c' must hold numbers, got string"),
        (["a", "d"], "no column 'd'"),
        (["b", "a"], r"in 1 of 2 rows, first in row 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            read(["x.parquet"], PLANE, columns)
    content = Path("x.parquet").read_bytes()
    Path("x.parquet").write_bytes(content[:4] + bytes(len(content) - 12) + content[-8:])
    with pytest.raises(ValueError, match=r"^x\.parquet: expected a Parquet file, got: "):
        read(["x.parquet"], PLANE)


def test_parquet_columns_of_one_name_are_refused():
    parquet.write_table(pa.table([[1, 2**62], [3, 4], [5, 6]], names=["a", "a", "b"]), "x.parquet")
    np.testing.assert_array_equal(read_table(Path("x.parquet"), Columns(["b"])), [[5], [6]])
    for columns in (None, ["b", "a"]):
        with pytest.raises(ValueError, match=r"^x\.parquet: columns must have distinct names, .* 'a'"):
            read_table(Path("x.parquet"), Columns(columns))


def test_parquet_without_pyarrow_names_the_extra(monkeypatch):
    Path("x.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for action in (lambda: read(["x.parquet"], PLANE), lambda: check_out("x.parquet", (".parquet",))):
        with pytest.raises(ValueError, match=r"needs pyarrow. Run `pip install flowzoo\[tables\]`"):
            action()


def test_names_of_files_need_not_be_unicode():
    name = os.fsdecode(b"gr\xfc\xdfe.npy")
    np.save(name, POINTS)
    _, files = read([name], PLANE)
    for table in ("x.csv", "x.parquet"):
        write_table(Path(table), {"file": files, "nats": np.arange(2.0)})
    assert Path("x.csv").read_text().splitlines()[1] == r"gr\udcfc\udcdfe.npy,0.0"


def test_a_folder_of_images_in_the_order_of_paths():
    (Path("all") / "b").mkdir(parents=True)
    Image.fromarray(np.full((2, 2), 40, np.uint8)).save("all/b/1.PNG")
    Image.fromarray(np.full((2, 2), 80, np.uint8)).save("all/a.png")
    Path("all/notes.txt").write_text("no image")
    rows, files = read(["all"], IMAGE)
    assert rows[:, 0, 0, 0].tolist() == [80, 40] and files.tolist() == ["all/a.png", "all/b/1.PNG"]
    assert read(["all"], Form(Space.integers((2, 2, 1), 2**5)))[0].max() == 80 >> 3
    with pytest.raises(ValueError, match="a file must have a name, got ''"):
        read([""], IMAGE)  # and not all of these
    Path("empty").mkdir()
    with pytest.raises(ValueError, match="empty: expected a folder with images"):
        read(["empty"], IMAGE)


def broken_array(header):
    header = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "x.npy",
            broken_array("{'descr': '<f4', 'shape': (1,), 'fortran_order': (False"),
            "written by numpy.save, got",
        ),
        ("x.npy", broken_array(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**18},)}}"), "numpy.save, got"),
        (
            "x.bmp",
            b"BM" + bytes(12) + struct.pack("<IiiHH", 40, 10**6, 10**6, 1, 24) + bytes(24),
            "readable image, got",
        ),
        ("x.pgm", b"P5 2 2 255\n123", "readable image, got"),
        ("x.pgm", b"P5 2 a 255\n1234", "readable image, got"),
    ],
)
def test_a_broken_file_is_one_clear_line(name, content, message):
    Path(name).write_bytes(content)
    with pytest.raises(ValueError, match=f"^{name}: expected .*{message}"):
        read([name], PLANE if name.endswith("npy") else IMAGE)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("x.jpg", "--out must end in .npy, .csv or .parquet, got 'x.jpg'"),
        ("folder.npy", "--out must be a file, got 'folder.npy', which is not a regular file, but a folder"),
        ("pipe.csv", "--out must be a file, got 'pipe.csv', which is not a regular file, but a named pipe"),
        ("file/x.npy", "can't be written: .*file is not a folder that you may write to"),
    ],
)
def test_what_could_not_be_written_is_refused_before_the_work(out, message):
    Path("folder.npy").mkdir()
    os.mkfifo("pipe.csv")
    Path("file").touch()
    with pytest.raises(ValueError, match=message):
        check_out(out, (".npy", ".csv", ".parquet"))
    check_out("new/folder/x.npy", (".npy", ".csv", ".parquet"))
    write_rows("x" * 250 + ".csv", POINTS, "x")  # the longest name that there may be


def test_an_input_is_never_the_output():
    Path("folder").mkdir()
    for name in ("x.csv", "folder/a.png", "folder/latents.npy"):
        Path(name).touch()
    os.link("x.csv", "hard.csv")
    os.symlink("x.csv", "soft.csv")
    for out, inputs in (
        ("x.csv", ["x.csv"]),
        ("./x.csv", ["other.csv", "x.csv"]),
        ("x.csv", ["hard.csv"]),
        ("soft.csv", ["x.csv"]),
        ("x.csv", ["soft.csv"]),
        ("folder/a.png", ["folder"]),
    ):
        with pytest.raises(
            ValueError, match=f"--out must not replace an input, got '{out}', which '{inputs[-1]}' reads"
        ):
            check_out(out, (".csv", ".png"), inputs)
    check_out("new.csv", (".csv",), ["x.csv", ""])
    check_out("folder/latents.npy", (".npy",), ["folder"])  # which is not an image of it


@pytest.mark.parametrize(
    "arguments",
    [
        *(["score", "x.npy", "--condition=in.csv"], ["score", "x.npy", "--condition=v=in.csv"], ["score", "in.csv"]),
        *(["sample", "--condition=in.csv"], ["encode", "x.npy", "--condition=0.5", "--condition=v=in.csv"]),
        *(["decode", "x.npy", "--condition=in.csv"], ["interpolate", "x.npy", "y.npy", "--condition=in.csv"]),
        *(["interpolate", "x.npy", "in.csv"], ["decode", "in.csv"], ["encode", "in.csv"]),
    ],
)
def test_no_command_replaces_what_it_reads(arguments, capsys):
    Path("in.csv").write_text("class\n1\n")
    command, *rest = arguments
    assert main([command, "no-such-preset", *rest, "--out=in.csv"]) == BAD_INPUT
    assert "--out must not replace an input, got 'in.csv'" in capsys.readouterr().err
    assert Path("in.csv").read_text() == "class\n1\n"


def test_arrays_of_any_integers_in_range():
    for dtype in ("uint8", "uint16", "int64", ">i4"):
        np.save("x.npy", np.full((3, 2, 2, 1), 200, dtype))
        rows, _ = read(["x.npy"], IMAGE)
        assert rows.dtype == np.uint8 and (rows == 200).all() and not isinstance(rows, np.memmap)
    for array, message in (
        (np.full((1, 2, 2, 1), -1, np.int64), "must be integers 0 to 255, got -1 to -1"),
        (np.full((1, 2, 2, 1), 256, np.uint16), "must be integers 0 to 255, got 256 to 256"),
        (np.zeros((1, 2, 2, 1)), "must be uint8, got float64"),
        (np.zeros((1, 2, 2, 1), bool), "must be uint8, got bool"),
        (np.zeros((1, 2, 2, 1), complex), "must be uint8, got complex128"),
        (np.zeros((1, 2, 2, 1), object), "written by numpy.save, got"),  # a pickle, which is never opened
    ):
        np.save("x.npy", array)
        with pytest.raises(ValueError, match=rf"^x\.npy: .*{message}"):
            read(["x.npy"], IMAGE)
    np.savez("x.npz", a=POINTS, b=POINTS)
    with pytest.raises(ValueError, match=r"^x\.npz: expected .* got an \.npz archive of a, b\. Save the array alone"):
        read(["x.npz"], PLANE)


def test_a_large_array_is_there_once():
    np.save("x.npy", np.ones((300_000, 2), np.float64))  # 4.8 MB, 2.4 as float32
    tracemalloc.start()
    try:
        rows, _ = read(["x.npy"], PLANE)
        assert tracemalloc.get_traced_memory()[1] < 6e6 and rows.dtype == np.float32  # with the names of the files
    finally:
        tracemalloc.stop()


def test_a_pipe_is_refused():
    os.mkfifo("x.csv")
    with pytest.raises(ValueError, match=r"^x\.csv .*\. Save what comes from it to a file first"):
        read(["x.csv"], PLANE)


def test_a_table_that_fails_leaves_the_former_one(monkeypatch):
    for name in ("x.csv", "x.parquet"):
        write_table(Path(name), {"a": np.arange(2)})
        before = Path(name).read_bytes()
        with pytest.raises(ValueError):
            write_table(Path(name), {"a": np.arange(2), "b": np.arange(3)})
        assert Path(name).read_bytes() == before
    assert sorted(path.name for path in Path().iterdir()) == ["x.csv", "x.parquet"]


def test_json_has_null_for_what_is_not_finite(capsys):
    print_json({"a": [float("nan"), 1.5], "b": (float("inf"),)})
    assert "".join(capsys.readouterr().out.split()) == '{"a":[null,1.5],"b":[null]}'


def test_batches_join_and_show_no_bar_off_a_terminal(capfd):
    values = in_batches(lambda rows: np.arange(rows.start, rows.stop), 10, "counting", size=4)
    assert values.tolist() == list(range(10)) and capfd.readouterr().err == ""
