"""--label and --condition: the condition of a preset on the command line."""

import argparse

import numpy as np
import pytest
from PIL import Image

from flowzoo.cli.conditions import add_condition, condition_and_count, condition_of
from flowzoo.core.space import Condition, Space


class Flow:
    """All that is read of a flow."""

    def __init__(self, spaces):
        self.condition = Condition(spaces)


LABEL, VECTOR = Flow(Space.integers((), 3)), Flow(Space((2,)))
BOTH = Flow({"label": Space.integers((), 3), "mel": Space((None, 4))})


def _parsed(flow, *given, count=2):
    parser = argparse.ArgumentParser()
    add_condition(parser)
    return condition_of(flow, parser.parse_args(given), count)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "labels.csv").write_text("class\n2\n0\n")
    (tmp_path / "vectors.csv").write_text("c1,c0\n1.5,2\n3,4.5\n")
    np.save(tmp_path / "mel.npy", np.ones((2, 7, 4), "float32"))
    return tmp_path


def test_values_are_numbers_or_files(files):
    assert _parsed(Flow(None)) is None
    for given in (["--label=2"], ["--condition=2"], ["--condition=condition=2"]):
        np.testing.assert_array_equal(_parsed(LABEL, *given), [2, 2])
    np.testing.assert_array_equal(_parsed(LABEL, f"--condition={files / 'labels.csv'}"), [2, 0])
    np.testing.assert_array_equal(_parsed(VECTOR, "--condition=0.5,1.5"), [[0.5, 1.5]] * 2)
    np.testing.assert_array_equal(_parsed(VECTOR, f"--condition={files / 'vectors.csv'}"), [[2, 1.5], [4.5, 3]])
    both = _parsed(BOTH, "--label=1", f"--condition=mel={files / 'mel.npy'}")
    np.testing.assert_array_equal(both["label"], [1, 1])
    assert both["mel"].shape == (2, 7, 4)


@pytest.mark.parametrize(
    ("flow", "given", "message"),
    [
        (LABEL, [], "--label must be a class 0 ... 2 for this preset, got none"),
        (VECTOR, [], r"--condition must give condition \(\(batch, 2\) numbers\) for this preset, got none"),
        (Flow(None), ["--label=1"], "--condition must give none for this preset, got label"),
        (BOTH, ["--label=1"], "must give label .*, mel .* for this preset, got label"),
        (VECTOR, ["--condition=1"], r"condition must be \(batch, 2\) numbers, got 1 numbers. Pass a file"),
        (LABEL, ["--condition=1.5"], "must be .* integer labels 0 ... 2, got 1.5"),
        (VECTOR, ["--condition={}/labels.csv"], "take 2 columns, got 1. Choose them by --condition-columns=NAME"),
        (BOTH, ["--condition=1"], "got condition. Pass --condition=label=VALUE and --condition=mel=VALUE"),
        (LABEL, ["--label=1", "--condition=2"], "--label must be left out beside --condition=2, got 1"),
        (LABEL, ["--condition=1", "--condition=2"], "once for each condition, got it twice for condition"),
    ],
)
def test_what_does_not_fit_is_refused(files, flow, given, message):
    with pytest.raises(ValueError, match=message):
        _parsed(flow, *(text.format(files) for text in given))


def test_columns_of_a_table_are_chosen_by_name(files, capsys):
    (files / "all.csv").write_text("x0,u,v,class\n7,1.5,2,1\n8,3,4.5,0\n")
    table = f"--condition={files / 'all.csv'}"
    np.testing.assert_array_equal(_parsed(LABEL, table, "--condition-columns=class"), [1, 0])
    np.testing.assert_array_equal(_parsed(VECTOR, table, "--condition-columns=v,u"), [[2, 1.5], [4.5, 3]])
    both = Flow({"label": Space.integers((), 3), "size": Space((2,))})
    named = [f"--condition={name}={files / 'all.csv'}" for name in ("label", "size")]
    found = _parsed(both, *named, "--condition-columns=size=u,v", "--condition-columns=label=class")
    np.testing.assert_array_equal(found["size"], [[1.5, 2], [3, 4.5]])
    np.testing.assert_array_equal(found["label"], [1, 0])
    assert not capsys.readouterr().err
    with pytest.raises(ValueError, match="got 4\\. Choose them by --condition-columns=label=NAME,NAME"):
        _parsed(both, *named)
    with pytest.raises(ValueError, match="--condition-columns must be of label, size, got it of condition"):
        _parsed(both, *named, "--condition-columns=class")


def test_a_sequence_of_any_length_is_a_row_of_a_table(files):
    (files / "mel.csv").write_text("1,2,3,4,5,6,7,8\n" * 2)
    flow = Flow(Space((None, 4)))
    assert _parsed(flow, f"--condition={files / 'mel.csv'}").shape == (2, 2, 4)
    (files / "mel.csv").write_text("1,2,3,4,5\n")
    with pytest.raises(ValueError, match="take a multiple of 4 columns, got 5"):
        _parsed(flow, f"--condition={files / 'mel.csv'}", count=1)


def test_images_are_a_condition_as_they_are(files):
    pixels = np.arange(16, dtype="uint8").reshape(4, 4)
    Image.fromarray(pixels).save(files / "sketch.png")
    found = _parsed(Flow(Space.integers((4, 4, 1), 256)), f"--condition={files / 'sketch.png'}", count=1)
    np.testing.assert_array_equal(found, pixels[None, ..., None])
    with pytest.raises(ValueError, match=r"must be float32, got uint8. Save them as float32, in the units"):
        _parsed(Flow(Space((4, 4, 1))), f"--condition={files / 'sketch.png'}", count=1)


def test_one_row_of_a_file_is_for_all_samples(files):
    np.save(files / "one.npy", np.ones((1, 7, 4), "float32"))
    parser = argparse.ArgumentParser()
    add_condition(parser)
    args = parser.parse_args([f"--condition=mel={files / 'one.npy'}", f"--condition=label={files / 'labels.csv'}"])
    found, count = condition_and_count(BOTH, args, None)
    assert count == 2 and found["mel"].shape == (2, 7, 4) and list(found["label"]) == [2, 0]
    args = parser.parse_args([f"--condition=mel={files / 'one.npy'}", "--label=1"])
    assert [condition_and_count(BOTH, args, count)[1] for count in (None, 5)] == [1, 5]
    with pytest.raises(ValueError, match="expected a row of mel for each of 2 examples, got 1"):
        condition_of(BOTH, args, 2)  # of examples each has its own


def test_a_file_has_a_row_for_each_example(files):
    with pytest.raises(ValueError, match="expected a row of condition for each of 3 examples, got 2"):
        _parsed(LABEL, f"--condition={files / 'labels.csv'}", count=3)
