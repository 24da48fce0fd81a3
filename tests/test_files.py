"""Files are written all or nothing; pictures are laid out row by row."""

import errno
import hashlib
import os

import numpy as np
import pytest
from PIL import Image

from flowzoo.files import atomic, sha256, write_array, write_atomic
from flowzoo.zoo.pictures import write_png


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


def test_array_round_trip(tmp_path):
    write_array(tmp_path / "x.npy", np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), [[0, 1, 2], [3, 4, 5]])


def test_pictures_are_written_row_by_row_and_scaled(tmp_path):
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    write_png(tmp_path / "grid.png", images, columns=2, bits=2, scale=3)
    with Image.open(tmp_path / "grid.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (12, 12)
    np.testing.assert_array_equal(pixels[::6, ::6], [[0, 85], [170, 0]])


def test_only_images_make_a_picture(tmp_path):
    with pytest.raises(ValueError, match=r"of shape \(n, height, width, 1 or 3\), got \(4, 2\)"):
        write_png(tmp_path / "grid.png", np.zeros((4, 2)))
    assert not list(tmp_path.iterdir())
