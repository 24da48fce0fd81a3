"""Grids of images."""

import numpy as np

from flowzoo import flows
from flowzoo.modalities.image import grid
from flowzoo.training.drawings import drawn


def test_grid_places_images_row_by_row():
    images = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones([1, 2, 3, 1], np.uint8)
    image = np.asarray(grid(images, columns=3))
    assert image.shape == (4, 9)
    np.testing.assert_array_equal(image[::2, ::3], [[1, 2, 3], [4, 5, 0]])


def test_grid_stretches_fewer_bits_and_enlarges():
    image = np.asarray(grid(np.full([4, 1, 1, 3], 31, np.uint8), values=32, scale=4))
    assert image.shape == (8, 8, 3) and (image == 255).all()


def test_interpolations_go_from_sample_to_sample_of_a_class():
    flow = flows.create("glow", event_shape=[4, 4, 1], bits=8, levels=1, depth=1, hidden=2, classes=3)
    between = np.asarray(drawn(flow, seed=5)["interpolations"]).reshape(8, 4, 8, 4).swapaxes(1, 2)
    classes = np.arange(8) % 3
    for place, seed in ((0, 6), (7, 7)):
        ends = flow.sample(8, classes, seed=seed).numpy()[..., 0].astype(int)
        assert np.abs(between[:, place].astype(int) - ends).max() <= 1
    assert np.abs(between[:, 0].astype(int) - between[:, 7]).max() > 10


def test_samples_have_a_column_for_each_class():
    flow = flows.create("glow", event_shape=[4, 4, 1], bits=8, levels=1, depth=1, hidden=2, classes=3)
    image = np.asarray(drawn(flow, seed=5)["samples"])
    assert image.shape == (8 * 4, 3 * 4)
    one = flow.sample(24, np.arange(24) % 3, seed=5).numpy()[4, ..., 0].astype(int)
    assert np.abs(image[4:8, 4:8].astype(int) - one).max() <= 1
