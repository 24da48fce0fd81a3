from pathlib import Path

import numpy as np
import pytest

from flowzoo import data
from flowzoo.data import arrays, fixtures, prepare

FIRST_LABELS = {"mnist": [7, 2, 1, 0, 4], "fashion_mnist": [9, 2, 1, 1, 6], "cifar10": [3, 8, 8, 0, 6]}


@pytest.mark.parametrize("name", FIRST_LABELS)
def test_fixtures_are_the_first_test_images(name):
    images, labels = data.fixture(name)
    assert images.shape == (data.spec(name).shipped, *data.spec(name).event_shape)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int32
    assert labels[:5].tolist() == FIRST_LABELS[name]
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


def test_cifar10_has_its_channels_last_in_the_order_red_green_blue():
    images, labels = data.fixture("cifar10")
    red, _, blue = images[(labels == 0) | (labels == 8)].mean(axis=(0, 1, 2))  # aeroplanes and ships: sky and sea
    assert blue > red + 5
    red, _, blue = images[(labels == 4) | (labels == 7)].mean(axis=(0, 1, 2))  # deer and horses
    assert red > blue + 5


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'mnist'"):
        data.fixture("mnis")


@pytest.mark.parametrize("name", ["celeb_a", "celeb_a_subset"])
def test_no_images_of_people_are_shipped(name):
    with pytest.raises(ValueError, match=r"one of 'mnist', .*, 'cifar10', got 'celeb_a.*not be shipped"):
        data.fixture(name)
    with pytest.raises(ValueError, match="may not be shipped"):
        prepare.write_fixture(name)
    assert not list(Path(fixtures.__file__).parent.glob("celeb*"))


def test_digits_are_whole_in_the_package_in_fixed_splits(tmp_path):
    x, labels = {}, {}
    for split, size in data.spec("digits").sizes.items():
        x[split], labels[split] = arrays.read("digits", split)
        assert x[split].shape == (size, 8, 8, 1) and x[split].dtype == np.uint8 and labels[split].shape == (size,)
        assert x[split].min() == 0 and x[split].max() == 16 and set(labels[split]) == set(range(10))
    assert sum(map(len, x.values())) == 1797 and labels["train"][:5].tolist() == [0, 1, 2, 3, 4]
    batch = next(data.load("digits", "test", batch_size=4, bits=5, data_dir=tmp_path).as_numpy_iterator())
    np.testing.assert_array_equal(batch, x["test"][:4])
    assert prepare.prepare("digits", tmp_path) is None
