"""Shared: a tiny Fashion-MNIST made of the fixture's images, in memory or really prepared by TFDS."""

import dataclasses

import pytest

from flowzoo import data
from flowzoo.data import arrays, specs


@pytest.fixture
def examples(monkeypatch):
    """50 images and labels that `load` gives for every data set and split."""
    images, labels = data.fixture("fashion_mnist")
    images, labels = images[:50], labels[:50]
    monkeypatch.setattr(arrays, "read", lambda name, split, data_dir: (images, labels))
    return images, labels


@pytest.fixture(scope="session")
def tiny_data_dir(tmp_path_factory):
    """A TFDS folder in which `fashion_mnist` has 40 training and 20 test examples."""
    import tensorflow_datasets as tfds

    images, labels = data.fixture("fashion_mnist")
    records = [{"image": image, "label": int(label)} for image, label in zip(images, labels, strict=True)]
    folder = tmp_path_factory.mktemp("tfds")
    image, label = tfds.features.Image(shape=(28, 28, 1)), tfds.features.ClassLabel(num_classes=10)
    builder = tfds.dataset_builders.AdhocBuilder(
        name="fashion_mnist",
        version="3.0.1",
        features=tfds.features.FeaturesDict({"image": image, "label": label}),
        split_datasets={"train": list(enumerate(records[:40])), "test": list(enumerate(records[40:60]))},
        data_dir=folder,
        file_format="tfrecord",
    )
    builder.download_and_prepare()
    return folder


@pytest.fixture
def tiny(tiny_data_dir, monkeypatch):
    """`tiny_data_dir` with a spec that fits."""
    facts = data.spec("fashion_mnist")
    splits = {"train": "train[:30]", "validation": "train[30:]", "test": "test"}
    sizes = {"train": 30, "validation": 10, "test": 20}
    small = dataclasses.replace(facts, splits=splits, sizes=sizes)
    monkeypatch.setitem(specs._SPECS, "fashion_mnist", small)
    return tiny_data_dir
