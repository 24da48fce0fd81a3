"""--label and --condition: the condition of a preset on the command line."""

import argparse

import numpy as np
import pytest

from flowzoo.cli.conditions import add_condition, condition_of
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
        (VECTOR, ["--condition={}/labels.csv"], "take 2 columns, got 1"),
    ],
)
def test_what_does_not_fit_is_refused(files, flow, given, message):
    with pytest.raises(ValueError, match=message):
        _parsed(flow, *(text.format(files) for text in given))


def test_a_file_has_a_row_for_each_example(files):
    with pytest.raises(ValueError, match="expected a row of condition for each of 3 examples, got 2"):
        _parsed(LABEL, f"--condition={files / 'labels.csv'}", count=3)
