"""Files are written all or nothing; images are laid out row by row."""

import errno
import hashlib
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from flowzoo.core.files import (
    atomic,
    damage,
    irregular,
    move_into_place,
    read_json,
    remove_leftovers,
    replacing,
    sha256,
    write_array,
    write_atomic,
)
from flowzoo.modalities.image import write_png


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a" / "file"
    write_atomic(path, b"old")
    with pytest.raises(TypeError):
        write_atomic(path, 1)
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    assert sha256(path) == hashlib.sha256(b"old").hexdigest()


def test_a_full_disk_is_told_with_the_file(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(OSError, match=rf"No space left on device: '{path}'"), atomic(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_that_others_write_takes_its_place_whole_or_not(tmp_path):
    path = tmp_path / "file.txt"
    for content in (b"first", b"second"):
        with replacing(path) as beside:
            assert beside.name == "file.txt" and beside.parent != tmp_path
            beside.write_bytes(content)
        assert path.read_bytes() == content
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"), replacing(path) as beside:
        beside.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "of another name")
    assert path.read_bytes() == b"second" and [p.name for p in tmp_path.iterdir()] == ["file.txt"]


HALF = """
import os, signal, sys
from flowzoo.core.files import atomic
with atomic(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_and_no_more(tmp_path):
    folder = tmp_path / "samples"
    for name in ("a.png", "weights.h5"):
        killed = subprocess.run([sys.executable, "-c", HALF, folder / name])
        assert killed.returncode == -signal.SIGKILL
    old, dead = folder / ".best.weights.h5.abcd_123.weights.h5", sorted(folder.iterdir())
    old.write_bytes(b"half")  # of a former version
    kept = [folder / ".hidden.tmp", folder / ".lock", folder / "x.abcd1234.tmp", folder / ".a.ABCD1234.tmp"]
    for path in kept:
        path.touch()
    with atomic(folder / "b.png") as file:
        file.write(b"whole")
        remove_leftovers(tmp_path)
    assert len(dead) == 2 and sorted(folder.iterdir()) == sorted([*kept, folder / "b.png"])
    assert (folder / "b.png").read_bytes() == b"whole"


def test_a_file_is_locked_until_it_has_its_name(tmp_path, monkeypatch):
    def checked(temporary, path):
        remove_leftovers(tmp_path)
        move_into_place(temporary, path)

    monkeypatch.setattr("flowzoo.core.files.move_into_place", checked)
    write_atomic(tmp_path / "file", b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_what_is_no_regular_file_is_told_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(tmp_path / "socket"))  # its path may have about 100 bytes
    expected = {"pipe": "named pipe", "socket": "socket", "": "folder", "/dev/zero": "device"}
    for name, kind in expected.items():
        assert irregular(tmp_path / name) == f"is not a regular file, but a {kind}"
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    assert "named pipe" in irregular(tmp_path / "link")
    assert "named pipe" in damage(tmp_path / "pipe", {"bytes": 0, "sha256": ""})
    write_atomic(tmp_path / "file", b"")
    assert irregular(tmp_path / "file") == irregular(tmp_path / "missing") == ""


@pytest.mark.parametrize("write", [lambda path: write_atomic(path, b""), lambda path: replacing(path).__enter__()])
def test_a_named_pipe_is_not_replaced(write, tmp_path):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(FileExistsError, match="what is there is not a regular file, but a named pipe"):
            write(path)
    assert pipe.is_fifo() and link.is_symlink() and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "an empty file"),
        (" \n", "an empty file"),
        ('{"a": 1, "b": ', "a truncated or damaged one"),
        ("\xff", "a truncated or damaged one"),
        (50_000 * "[", "a truncated or damaged one"),
        ("[1]", "a list"),
        ('{"a": 1}', "one without b"),
    ],
)
def test_json_that_is_not_whole_names_the_file(content, found, tmp_path):
    path = tmp_path / "start.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(ValueError, match=rf"{path}: expected a JSON object with the keys a, b, got {found}"):
        read_json(path, "a", "b")
    path.write_text('{"a": 1, "b": 2}')
    assert read_json(path, "a", "b") == {"a": 1, "b": 2}


def test_array_round_trip(tmp_path):
    write_array(tmp_path / "x.npy", np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), [[0, 1, 2], [3, 4, 5]])


def test_pictures_are_written_row_by_row_and_scaled(tmp_path):
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    write_png(tmp_path / "grid.png", images, columns=2, values=4, scale=3)
    with Image.open(tmp_path / "grid.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (12, 12)
    np.testing.assert_array_equal(pixels[::6, ::6], [[0, 85], [170, 0]])


def test_only_images_make_a_picture(tmp_path):
    with pytest.raises(ValueError, match=r"of shape \(n, height, width, 1 or 3\), got \(4, 2\)"):
        write_png(tmp_path / "grid.png", np.zeros((4, 2)))
    assert not list(tmp_path.iterdir())
