"""Curves: what is drawn is what the history says."""

import os

import pytest

from flowzoo.cards import curves

HEAD = "step,seconds,loss,learning_rate,validation_nats,validation_nats_ema\n"


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(HEAD + "5,1800.0,3.0,0.001,2.5,4.0\n10,3600.0,2.0,0.0005,2.25,2.125\n")
    return curves.read_history(path)


def test_a_named_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "history.csv")
    with pytest.raises(ValueError, match="not a regular file, but a named pipe"):
        curves.read_history(tmp_path / "history.csv")


def test_reading(history, tmp_path):
    assert (
        history["step"] == [5, 10] and history["hours"] == [0.5, 1.0] and history["validation_nats_ema"] == [4, 2.125]
    )
    for text, message in [
        ("", "none yet"),
        (HEAD, "none yet"),
        ("a,b\n1,2\n", "'seconds'"),
        (HEAD + "5,1\n", "read as"),
    ]:
        (tmp_path / "wrong.csv").write_text(text)
        with pytest.raises(ValueError, match=message):
            curves.read_history(tmp_path / "wrong.csv")


def test_every_column_is_drawn_against_steps_and_hours(history):
    figure = curves._figure({"mine": history})
    likelihood, loss, rate = [figure.axes[row : row + 2] for row in (0, 2, 4)]
    for along, column in (("step", 0), ("hours", 1)):
        raw, averaged, best = likelihood[column].lines
        assert [list(line.get_xdata()) for line in (raw, averaged)] == [history[along]] * 2
        assert list(raw.get_ydata()) == history["validation_nats"]
        assert list(averaged.get_ydata()) == history["validation_nats_ema"]
        assert (best.get_xdata()[0], best.get_ydata()[0]) == (history[along][1], 2.125)
        assert likelihood[column].texts[0].get_text() == "2.125"
        assert list(loss[column].lines[0].get_ydata()) == history["loss"]
        assert list(rate[column].lines[0].get_ydata()) == history["learning_rate"]
    assert [axis.get_xlabel() for axis in rate] == ["step", "wall time (hours)"]
    assert likelihood[0].get_ylabel() == "nats per example"
    labels = [text.get_text() for text in likelihood[0].get_legend().get_texts()]
    assert labels == ["mine", "validation", "validation, averaged weights", "training", "lowest validation"]


def test_the_axis_leaves_out_the_wild_beginning():
    values = [90.0] + [3.0 - 0.01 * i for i in range(20)]
    history = {"bits_per_dim": values, "validation_bits_per_dim": values, "validation_bits_per_dim_ema": [500.0] * 21}
    low, high = curves._limits({"a": history}, "bits_per_dim")
    assert low < values[-1] and values[3] < high < 4
    assert curves._limits({"a": {"validation_nats": [float("inf")]}}, "nats") == (0, 1)


def test_one_unit_at_a_time(history, tmp_path):
    bits = {name: column for name, column in history.items() if not name.startswith("validation_")}
    bits |= {"bits_per_dim": [1.0, 1.0], "validation_bits_per_dim": [1.0, 1.0]}
    with pytest.raises(ValueError, match=r"in one unit, got .*bits/dim.*Draw them apart"):
        curves.write_curves({"a": history, "b": bits}, tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
