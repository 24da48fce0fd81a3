"""Zeros and ones drawn from grey pixels: by their probabilities, anew in each epoch, once for test."""

import numpy as np
import tensorflow as tf

from flowzoo import data
from flowzoo.core import random
from flowzoo.data import arrays, binarised
from flowzoo.data.specs import split_seed

GREY = np.repeat(np.array([[0, 51, 204, 255]], np.uint8), 5000, axis=0)


def test_ones_come_by_the_probability_of_the_pixel():
    for x in (binarised.once(GREY, [1]), binarised.anew(tf.constant(GREY), random.row_seeds(0, len(GREY))).numpy()):
        assert x.dtype == np.uint8 and set(np.unique(x)) == {0, 1}
        np.testing.assert_allclose(x.mean(axis=0), GREY[0] / 255.0, atol=4.5 * 0.5 / np.sqrt(len(GREY)))
        assert (x[:, 0] == 0).all() and (x[:, 3] == 1).all()


def test_a_row_does_not_depend_on_how_many_follow():
    np.testing.assert_array_equal(binarised.once(GREY, [1])[:1500], binarised.once(GREY[:1500], [1]))


def test_the_shipped_examples_are_those_of_the_test_split():
    x, labels = data.fixture("mnist_binary")
    grey, same = data.fixture("mnist")
    np.testing.assert_array_equal(x, binarised.once(grey, split_seed("mnist_binary", "test")))
    np.testing.assert_array_equal(labels, same)


def test_training_draws_anew_in_each_epoch_and_test_once(monkeypatch):
    grey, labels = data.fixture("mnist")
    read = {"mnist": (grey[:8], labels[:8]), "mnist_binary": (binarised.once(grey[:8], [1]), labels[:8])}
    monkeypatch.setattr(arrays, "read", lambda name, split, data_dir=None: read[name])

    def epochs(split, **how):
        stream = data.load("mnist_binary", split, epochs=2, **how)
        found = np.stack([*stream.unbatch().as_numpy_iterator()] if how.get("batch_size") else [*stream])
        return found.reshape(2, 8, 28, 28, 1)

    one, two = epochs("train", batch_size=4)
    assert (one != two).any() and (one[grey[:8] == 0] == 0).all() and (one[grey[:8] == 255] == 1).all()
    np.testing.assert_array_equal(epochs("train", batch_size=4)[1], two)
    np.testing.assert_array_equal(epochs("train")[1], two)
    assert (epochs("train", batch_size=4, seed=1)[0] != one).any()
    later = np.concatenate(
        [*data.load("mnist_binary", "train", epochs=2, batch_size=4, start_step=3).as_numpy_iterator()]
    )
    np.testing.assert_array_equal(later, two[4:])
    one, two = epochs("test", batch_size=4)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, read["mnist_binary"][0])
