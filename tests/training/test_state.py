"""States on disk: all or nothing, damage noticed, the one before taken."""

import os

import numpy as np
import pytest

from flowzoo.training import state


class Variable:
    def __init__(self, shape, path):
        self.shape, self.dtype, self.path, self.value = shape, "float32", path, None

    def assign(self, value):
        self.value = value


def write(folder, *steps):
    for step in steps:
        state.save(folder, step, {"model/00000": np.full([1000], step, np.float32)}, {"wait": step})


def step_of(folder):
    arrays, facts = state.load(folder)
    assert (arrays["model/00000"] == facts["step"]).all() and facts["wait"] == facts["step"]
    return facts["step"]


def test_round_trip_keeps_the_last_two(tmp_path):
    assert state.load(tmp_path / "none yet") is None
    write(tmp_path, 1, 2, 10)
    assert sorted(os.listdir(tmp_path)) == ["state-000000002.npz", "state-000000010.npz"]
    assert step_of(tmp_path) == 10


@pytest.mark.parametrize("moment", ["savez", "fsync", "replace"])
def test_a_failure_while_writing_leaves_the_state_before(tmp_path, monkeypatch, moment):
    write(tmp_path, 1)
    before = (tmp_path / "state-000000001.npz").read_bytes()

    def fail(*args, **kwargs):
        if moment == "savez":
            args[0].write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np if moment == "savez" else os, moment, fail)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, 2)
    assert os.listdir(tmp_path) == ["state-000000001.npz"]
    assert (tmp_path / "state-000000001.npz").read_bytes() == before


def test_leftovers_of_a_killed_process_are_ignored_and_removed(tmp_path):
    stray = tmp_path / ".state-000000001.npz.abcd1234.tmp"
    stray.write_bytes(b"half")
    assert state.load(tmp_path) is None
    write(tmp_path, 2)
    assert step_of(tmp_path) == 2 and not stray.exists()


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped bit", "no zip"])
def test_a_damaged_state_is_noticed_and_the_one_before_taken(tmp_path, damage):
    write(tmp_path, 1, 2)
    path = tmp_path / "state-000000002.npz"
    content = bytearray(path.read_bytes())
    flipped = content.copy()
    flipped[len(flipped) // 2] ^= 1
    path.write_bytes(
        {"truncated": content[:-100], "empty": b"", "flipped bit": flipped, "no zip": b"x" * len(content)}[damage]
    )
    assert step_of(tmp_path) == 1
    (tmp_path / "state-000000001.npz").write_bytes(b"")
    with pytest.raises(state.StateError, match="can be read"):
        state.load(tmp_path)


def test_a_newer_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "FORMAT", 99)
    write(tmp_path, 1)
    monkeypatch.undo()
    with pytest.raises(state.StateError, match="format 99"):
        state.load(tmp_path)


def test_pack_keeps_the_order():
    values = [np.float32(i) for i in range(12)]
    arrays = state.pack("model", values) | state.pack("best", values[:1])
    assert [float(v) for v in state.unpack("model", arrays)] == list(range(12))


def test_assign_lists_what_does_not_fit():
    variables = [Variable((2, 3), "a/kernel"), Variable((3,), "a/bias")]
    with pytest.raises(state.StateError, match=r"a/bias: expected \(3,\) float32, got \(4,\) float32"):
        state.assign("model", variables, [np.zeros([2, 3], "float32"), np.zeros([4], "float32")])
    with pytest.raises(state.StateError, match="expected 2 variables, got 1"):
        state.assign("model", variables, [np.zeros([2, 3], "float32")])
    assert variables[0].value is None  # nothing is set unless all fits
