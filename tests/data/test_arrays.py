import shutil

import numpy as np
import pytest

from flowzoo import data
from flowzoo.data import arrays


def test_splits_are_cut_in_tfds_own_order(tiny):
    import tensorflow_datasets as tfds

    stored = tfds.builder_from_directory(tiny / "fashion_mnist" / "3.0.1").as_dataset(split="train")
    stored = np.stack([example["image"] for example in stored.as_numpy_iterator()])
    train, validation = (arrays.read("fashion_mnist", split, tiny)[0] for split in ("train", "validation"))
    assert len(train) == 30
    assert np.array_equal(np.concatenate([train, validation]), stored)


def test_images_and_labels_belong_together_and_are_read_only(tiny):
    images, labels = arrays.read("fashion_mnist", "test", tiny)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
    known = {image.tobytes(): label for image, label in zip(*data.fixture("fashion_mnist"), strict=True)}
    assert [known[image.tobytes()] for image in images] == labels.tolist()
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_a_split_is_read_once_per_process(tiny, monkeypatch):
    first = arrays.read("fashion_mnist", "test", tiny)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tiny))
    assert arrays.read("fashion_mnist", "test")[0] is first[0]


def test_load_reads_the_prepared_data(tiny):
    batches = list(data.load("fashion_mnist", "validation", batch_size=4, data_dir=tiny, labels=True))
    assert [len(label) for _, label in batches] == [4, 4, 2]


def test_missing_data_names_the_command(tmp_path, monkeypatch):
    with pytest.raises(data.MissingDataError) as error:
        data.load("cifar10", data_dir=tmp_path)
    assert str(error.value).endswith(f"Run: python tools/fetch_data.py --dataset=cifar10 --data_dir={tmp_path}")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(data.MissingDataError, match=r"Run: python tools/fetch_data.py --dataset=mnist$"):
        data.load("mnist")
    assert not list(tmp_path.iterdir())


def test_damaged_data_is_missing_data(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path, dirs_exist_ok=True)
    (records,) = tmp_path.glob("fashion_mnist/3.0.1/*-train.tfrecord*")
    records.write_bytes(records.read_bytes()[:-100])
    with pytest.raises(data.MissingDataError, match=r"is damaged: .*truncated record"):
        arrays.read("fashion_mnist", "validation", tmp_path)


def test_a_data_set_of_another_size_is_refused(tiny_data_dir):
    with pytest.raises(
        data.MissingDataError, match=r"expected examples of shape \(10000, 28, 28, 1\), got \(20, 28, 28, 1\)"
    ):
        arrays.read("fashion_mnist", "test", tiny_data_dir)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="`split` must be one of 'train', 'validation', 'test', got 'valid'"):
        data.load("mnist", "valid")
