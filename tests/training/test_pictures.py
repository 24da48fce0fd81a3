"""Grids of images."""

import numpy as np

from flowzoo.training.pictures import grid


def test_grid_places_images_row_by_row():
    images = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones([1, 2, 3, 1], np.uint8)
    picture = np.asarray(grid(images, columns=3))
    assert picture.shape == (4, 9)
    np.testing.assert_array_equal(picture[::2, ::3], [[1, 2, 3], [4, 5, 0]])


def test_grid_stretches_fewer_bits_and_enlarges():
    picture = np.asarray(grid(np.full([4, 1, 1, 3], 31, np.uint8), bits=5, scale=4))
    assert picture.shape == (8, 8, 3) and (picture == 255).all()
