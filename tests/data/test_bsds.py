"""BSDS300: the rule of the patches written out, the builder on images made here, and the real data set where it is."""

import dataclasses
import hashlib
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from flowzoo import data
from flowzoo.data import arrays, bsds, prepare, specs

SIZES = [(12, 9), (8, 8), (9, 20)]  # (height, width)


@pytest.fixture
def images():
    noise = np.random.default_rng(0)
    return [noise.integers(0, 256, size, dtype=np.uint8) for size in SIZES]


def test_grey_is_pillows_to_the_last_bit():
    colours = np.random.default_rng(1).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    assert np.array_equal(bsds.grey(colours), np.asarray(Image.fromarray(colours).convert("L")))


def test_the_rule_of_the_patches(images):
    places = [
        (image, row, column)
        for image, (height, width) in zip(images, SIZES, strict=True)
        for row in range(height - 7)
        for column in range(width - 7)
    ]
    words = np.random.PCG64([300, 5]).random_raw(2 * 1000 * 65) >> np.uint64(32)
    got = np.concatenate(list(bsds.patches(images, 2, 5)))
    assert (got.shape, got.dtype) == ((2000, 63), np.float32)
    seen = set()
    for x, (first, *noise) in zip(got, words.reshape(2000, 65).tolist(), strict=True):
        index = first * len(places) >> 32
        image, row, column = places[index]
        patch = (image[row : row + 8, column : column + 8].ravel() + np.array(noise) * 2.0**-32) / 256
        np.testing.assert_allclose(x, (patch - patch.mean())[:63], rtol=0, atol=1e-7)
        seen.add(index)
    assert seen == set(range(len(places)))  # the first and the last place of each image among them


def test_the_patches_never_change(images):
    x = next(bsds.patches(images, 1, 0))
    assert hashlib.sha256(x.tobytes()).hexdigest()[:16] == "eca8809be29e6f55"
    assert not np.array_equal(x, next(bsds.patches(images, 1, 1)))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A `--source_dir` of two training images and one test image, in no order, and what flowzoo is to expect of it."""
    noise, images = np.random.default_rng(2), {}
    for name in ("train/20.jpg", "test/5.jpg", "train/3.jpg"):
        file = io.BytesIO()
        Image.fromarray(noise.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(file, "JPEG")
        images[name] = file.getvalue()
    source = tmp_path / "source"
    source.mkdir()
    with tarfile.open(source / bsds.ARCHIVE, "w") as tar:
        for name, content in images.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    sums = {}
    for split, names in {"train": ["train/3.jpg", "train/20.jpg"], "test": ["test/5.jpg"]}.items():
        pixels = [np.asarray(Image.open(io.BytesIO(images[name])).convert("L")) for name in names]
        sums[split] = hashlib.sha256(b"".join(p.tobytes() for p in pixels)).hexdigest()
    monkeypatch.setattr(bsds, "COUNTS", {"train": 2, "test": 1})
    monkeypatch.setattr(bsds, "GREY_SHA256", sums)
    monkeypatch.setattr(bsds, "SPLITS", {"train": ("train", 3), "validation": ("train", 1), "test": ("test", 2)})
    sizes = {"train": 3000, "validation": 1000, "test": 2000}
    monkeypatch.setitem(specs._SPECS, "bsds300", dataclasses.replace(data.spec("bsds300"), sizes=sizes))
    return source


def test_the_data_set_is_prepared_and_read_in_the_order_drawn(folder, tmp_path):
    where = prepare.prepare("bsds300", tmp_path / "tfds", source_dir=folder)
    assert where == tmp_path / "tfds" / "bsds300" / "1.0.0"
    images = bsds.read_images(folder / bsds.ARCHIVE)
    for stream, (split, source, records) in enumerate(
        [("train", "train", 3), ("validation", "train", 1), ("test", "test", 2)]
    ):
        x, labels = arrays.read("bsds300", split, tmp_path / "tfds")
        assert np.array_equal(x, np.concatenate(list(bsds.patches(images[source], records, stream))))
        assert x.dtype == np.float32 and labels is None and not x.flags.writeable
    batches = list(data.load("bsds300", "test", batch_size=700, data_dir=tmp_path / "tfds").as_numpy_iterator())
    assert [batch.shape for batch in batches] == [(700, 63), (700, 63), (600, 63)]
    assert np.array_equal(np.concatenate(batches), arrays.read("bsds300", "test", tmp_path / "tfds")[0])
    shuffled = data.load("bsds300", "test", bits=0, batch_size=2000, shuffle=True, data_dir=tmp_path / "tfds")
    mixed = next(iter(shuffled)).numpy()
    assert not np.array_equal(mixed[:700], batches[0]) and {*mixed[:, 0]} == {*np.concatenate(batches)[:, 0]}
    flips = data.load("bsds300", "test", batch_size=700, flip=True, data_dir=tmp_path / "tfds")
    plain, flipped = (np.pad(x, [(0, 0), (0, 1)]) for x in (batches[0], next(flips.as_numpy_iterator())))
    for x in (plain, flipped):
        x[:, 63] = -x.sum(axis=1)  # the pixel left out, as the mean is zero
    changed = (plain != flipped).any(axis=1)
    mirrored = plain.reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64)
    np.testing.assert_allclose(flipped[changed], mirrored[changed], atol=1e-6)
    assert 250 < changed.sum() < 450


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bits": 8}, "`bits` must be an integer, 0, or None, got 8"),
        ({"labels": True}, "`labels` must be False for 'bsds300'"),
    ],
)
def test_vectors_have_no_bits_or_labels(wrong, message):
    with pytest.raises(ValueError, match=message):
        data.load("bsds300", **wrong)


def test_other_pixels_and_other_counts_are_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(bsds, "GREY_SHA256", bsds.GREY_SHA256 | {"test": "0" * 64})
    with pytest.raises(
        prepare.FetchError, match=r"grey pixels of the test images must have sha256 0{64}, got .*Pillow"
    ):
        prepare.prepare("bsds300", tmp_path / "tfds", source_dir=folder)
    monkeypatch.setattr(bsds, "COUNTS", {"train": 200, "test": 100})
    with pytest.raises(prepare.FetchError, match=r"these counts: .*'train': 200.*, got \{'train': 2, 'test': 1\}"):
        prepare.prepare("bsds300", tmp_path / "tfds", source_dir=folder)
    with pytest.raises(prepare.FetchError, match=r"missing: images.tar. .*--source_dir.*non-commercial research"):
        prepare.prepare("bsds300", tmp_path / "tfds", source_dir=tmp_path)
    assert not list((tmp_path / "tfds").rglob("*1.0.0*"))


def gaussian(train, test):
    """Mean log-density of `test` in nats under the Gaussian of all covariances fitted to `train`."""
    mean = train.mean(axis=0, dtype=np.float64)
    parts = [slice(start, start + 50_000) for start in range(0, len(train), 50_000)]
    covariance = sum((train[p] - mean).T @ (train[p] - mean) for p in parts) / len(train)
    precision, log_det = np.linalg.inv(covariance), np.linalg.slogdet(covariance)[1]
    squares = sum(np.einsum("ni,ij,nj->", test[p] - mean, precision, test[p] - mean, optimize=True) for p in parts)
    return -0.5 * (squares / len(test) + log_det + test.shape[1] * np.log(2 * np.pi))


def test_a_gaussian_has_the_nats_of_the_protocol():
    try:
        parts = {split: arrays.read("bsds300", split)[0] for split in ("train", "validation", "test")}
    except data.MissingDataError as error:
        pytest.skip(str(error))
    sums = {"train": "3ab3d2b34f745615", "validation": "7f2beee6b3c308a6", "test": "f83168a0be350f21"}
    assert {split: hashlib.sha256(x).hexdigest()[:16] for split, x in parts.items()} == sums
    nats = {split: gaussian(parts["train"], x) for split, x in parts.items()}
    # Papamakarios et al. have 96.67 on other patches.
    assert nats == pytest.approx({"train": 101.733, "validation": 101.572, "test": 96.386}, abs=0.001)
