"""The real data sets; each test skips where its data set isn't prepared."""

import hashlib

import numpy as np
import pytest

from flowzoo import data
from flowzoo.data import arrays


def read(name, split):
    try:
        return arrays.read(name, split)
    except data.MissingDataError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_the_test_split_holds_the_fixture(name):
    images, labels = read(name, "test")
    assert np.bincount(labels).min() > 890  # MNIST's least frequent digit, 5, has 892
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    some, classes = data.fixture(name)
    assert [known[image.tobytes()] for image in some] == classes.tolist()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_validation_has_every_class_and_loads(name):
    _, labels = read(name, "validation")
    assert np.bincount(labels).min() > 400
    stream = data.load(name, "validation", batch_size=128, bits=5)
    assert stream.cardinality() == 40
    assert next(iter(stream)).numpy().max() == 31


def test_the_official_sizes_of_the_subset_are_part_of_it():
    train, official = (
        {hashlib.sha256(image).digest() for image in read("celeb_a_subset", split)[0]}
        for split in ("train", "train_official")
    )
    assert official < train
    stream = data.load("celeb_a_subset", "test", batch_size=100)
    assert sum(len(batch) for batch in stream) == 660
    assert 80 < next(iter(stream)).numpy().mean() < 150
