import hashlib

import numpy as np
import pytest

from flowzoo import data
from flowzoo.data import packages, prepare


@pytest.fixture
def tiny_cifar10(monkeypatch):
    """The package manager gives files of the official names with 10 examples each; these are the ones expected."""
    images, labels = data.fixture("cifar10")

    def files(name, scratch):
        folder = scratch / "official" / packages.CIFAR10_FOLDER
        folder.mkdir(parents=True)
        for part, file in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
            rows = slice(10 * part, 10 * part + 10)
            (folder / file).write_bytes(packages.cifar10_records(images[rows], labels[rows]))
        (folder / "batches.meta.txt").write_text("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n")
        sums = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
        monkeypatch.setattr(prepare, "_CIFAR10_SHA256", sums)
        return folder.parent

    monkeypatch.setattr(packages, "official_files", files)
    return images, labels


def test_tfds_own_builder_prepares_the_rebuilt_files(tiny_cifar10, tmp_path):
    import tensorflow_datasets as tfds

    images, labels = tiny_cifar10
    folder = prepare.prepare("cifar10", tmp_path / "data")
    assert folder == tmp_path / "data" / "cifar10" / "3.0.2"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_dir()) == ["3.0.2", "cifar10", "data"]
    examples = list(tfds.builder_from_directory(folder).as_dataset(split="test").as_numpy_iterator())
    examples.sort(key=lambda example: example["id"])
    assert np.array_equal([example["image"] for example in examples], images[50:60])
    assert [example["label"] for example in examples] == labels[50:60].tolist()
    (info,) = tfds.builder_cls("cifar10").url_infos.values()
    assert info.checksum == "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"  # the official again


def test_a_failure_of_tfds_leaves_nothing(tiny_cifar10, tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    def break_off(self, *_):
        yield 0, {"id": "train_0", "image": tiny_cifar10[0][0], "label": 0}
        raise OSError("disk full")

    monkeypatch.setattr(tfds.builder_cls("cifar10"), "_generate_examples", break_off)
    with pytest.raises(prepare.FetchError, match=r"Preparing 'cifar10' failed: .*disk full"):
        prepare.prepare("cifar10", tmp_path)
    assert not list(tmp_path.rglob("*3.0.2*"))
    with pytest.raises(data.MissingDataError):
        data.load("cifar10", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_corrupted_files_are_never_prepared(name, tmp_path, monkeypatch):
    def corrupted(name, scratch):
        for file in prepare.registered_sums(name):
            (scratch / file).write_bytes(b"corrupted")
        return scratch

    monkeypatch.setattr(packages, "official_files", corrupted)
    with pytest.raises(prepare.FetchError, match=r"t10k-images-idx3-ubyte.gz must have sha256 [0-9a-f]{64}, got"):
        prepare.prepare(name, tmp_path)
    assert not list(tmp_path.rglob("*"))


def test_one_wrong_bit_is_seen(tmp_path):
    content = bytearray(b"official")
    sums = {"file.bin": hashlib.sha256(content).hexdigest()}
    with pytest.raises(prepare.FetchError, match=r"Expected the file file.bin, got none"):
        prepare.check_sums(tmp_path, sums)
    (tmp_path / "file.bin").write_bytes(content)
    prepare.check_sums(tmp_path, sums)
    content[3] ^= 1
    (tmp_path / "file.bin").write_bytes(content)
    with pytest.raises(prepare.FetchError, match=r"file.bin must have sha256"):
        prepare.check_sums(tmp_path, sums)


def test_every_official_file_has_a_registered_sum():
    for name in ("mnist", "fashion_mnist"):
        files = {f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")}
        assert set(prepare.registered_sums(name)) == files


def test_prepared_data_is_left_alone(tiny_data_dir, monkeypatch):
    monkeypatch.setattr(packages, "official_files", None)
    assert prepare.prepare("fashion_mnist", tiny_data_dir) == tiny_data_dir / "fashion_mnist" / "3.0.1"


def test_an_unknown_source_is_refused():
    with pytest.raises(ValueError, match="`source` must be 'packages' or 'official', got 'mirror'"):
        prepare.prepare("mnist", source="mirror")
