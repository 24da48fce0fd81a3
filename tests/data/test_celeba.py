"""CelebA: the crop and resize to the last bit, and the builder of the subset on archives made here of noise."""

import csv
import dataclasses
import hashlib
import io
import tarfile

import numpy as np
import pytest
from PIL import Image, ImageFilter

from flowzoo import data
from flowzoo.data import arrays, celeba, prepare, specs

OFFICIAL, HALF = (178, 218), (89, 109)


def picture(seed, size=OFFICIAL):
    """A seeded picture of the size (width, height): smooth colours and some noise."""
    noise = np.random.default_rng(seed)
    coarse = Image.fromarray(noise.integers(0, 256, (8, 7, 3), np.uint8)).resize(size, Image.Resampling.BILINEAR)
    grain = noise.normal(0, 20, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))


def encoded(image, kind="JPEG"):
    file = io.BytesIO()
    image.save(file, kind, **({"quality": 90} if kind == "JPEG" else {}))
    return file.getvalue()


def weights(source, side, begin, size=64):
    """The rule of `crop_and_resize` written out: (size, source) whole numbers, 2^22 being 1."""
    scale, rows = side / size, np.zeros((size, source))
    for row in range(size):
        distance = np.abs((np.arange(source) + 0.5 - (begin + (row + 0.5) * scale)) / scale)
        near = 1.5 * distance**3 - 2.5 * distance**2 + 1
        far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        rows[row] = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return np.floor(rows / rows.sum(axis=1, keepdims=True) * 2**22 + 0.5).astype(np.int64)


def half_up(value):
    return np.clip((value + 2**21) >> 22, 0, 255)


@pytest.mark.parametrize(
    ("size", "cut", "side", "begin"), [(OFFICIAL, (35, 15, 148), 148, 0), (HALF, (17, 7, 75), 74, 0.5)]
)
def test_the_rule_to_the_last_bit(size, cut, side, begin):
    image = picture(1, size)
    top, left, count = cut
    pixels = np.asarray(image).astype(np.int64)[top : top + count, left : left + count]
    rule = weights(count, side, begin)
    columns = half_up(np.einsum("nw,hwc->hnc", rule, pixels))
    expected = half_up(np.einsum("mh,hnc->mnc", rule, columns))
    got = celeba.crop_and_resize(encoded(image, "PNG"))
    assert (got.shape, got.dtype) == ((64, 64, 3), np.uint8)
    np.testing.assert_array_equal(got, expected)


def test_black_and_white_stay_in_range():
    image = np.zeros((218, 178, 3), np.uint8)
    image[100:110] = 255
    got = celeba.crop_and_resize(encoded(Image.fromarray(image), "PNG"))
    assert got.min() == 0 and got.max() == 255


def test_both_sizes_show_the_same_section():
    image = picture(2).filter(ImageFilter.GaussianBlur(6))
    half = image.resize(HALF, Image.Resampling.BOX)
    whole, small = (celeba.crop_and_resize(encoded(one, "PNG")).astype(int) for one in (image, half))
    assert np.abs(whole - small).max() <= 3
    assert np.abs(whole[:, 1:] - small[:, :-1]).max() > 6  # a shift by a pixel would be seen


@pytest.mark.parametrize("size", [(218, 178), (64, 64), (178, 217)])
def test_another_size_is_refused(size):
    with pytest.raises(ValueError, match=rf"178x218 or 89x109 .*, got RGB of {size[0]}x{size[1]}"):
        celeba.crop_and_resize(encoded(picture(0, size)))


def test_grey_is_refused():
    with pytest.raises(ValueError, match=r"expected an RGB image of .*, got L of 178x218"):
        celeba.crop_and_resize(encoded(picture(0).convert("L")))


PARTS = {"train": [OFFICIAL, HALF, HALF, OFFICIAL, HALF], "validation": [OFFICIAL] * 2, "test": [OFFICIAL] * 3}


class Folder:
    """A small `--source_dir`; `files[split]` is a list of (name, content) that `write` puts into archives."""

    def __init__(self, path, monkeypatch):
        self.path, self.monkeypatch, number = path, monkeypatch, 0
        self.files, self.rows = {}, []
        for split, sizes in PARTS.items():
            self.files[split] = []
            for size in sizes:
                number += 1
                name, content = f"{number:06d}.jpg", encoded(picture(number, size))
                self.files[split].append((name, content))
                self.rows.append([name, split, *size, hashlib.sha256(content).hexdigest()[:16]])

    def write(self):
        self.path.mkdir()
        for split, files in self.files.items():
            with tarfile.open(self.path / f"{split}.tar", "w") as tar:
                for name, content in files:
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        index = io.StringIO(newline="")
        csv.writer(index).writerows([["file", "split", "width", "height", "sha256_16"], *self.rows])
        (self.path / "index.csv").write_bytes(index.getvalue().encode())
        self.monkeypatch.setattr(celeba, "INDEX_SHA256", hashlib.sha256(index.getvalue().encode()).hexdigest())
        return self.path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return Folder(tmp_path / "source", monkeypatch)


@pytest.fixture
def small(monkeypatch):
    """The specs with the sizes of `PARTS`."""
    sizes = {"train": 5, "train_official": 2, "validation": 2, "test": 3}
    for name in ("celeb_a", "celeb_a_subset"):
        facts = data.spec(name)
        here = {split: sizes[split] for split in facts.splits}
        monkeypatch.setitem(specs._SPECS, name, dataclasses.replace(facts, sizes=here))


def same_images(got, files):
    expected = {celeba.crop_and_resize(content).tobytes() for _, content in files}
    return len(got) == len(files) and {image.tobytes() for image in got} == expected


def test_the_subset_is_prepared_and_read(folder, small, tmp_path):
    import tensorflow_datasets as tfds

    where = prepare.prepare("celeb_a_subset", tmp_path / "tfds", source_dir=folder.write())
    assert where == tmp_path / "tfds" / "celeb_a_subset" / "1.0.0"
    for split, files in folder.files.items():
        assert same_images(arrays.read("celeb_a_subset", split, tmp_path / "tfds")[0], files)
    official, labels = arrays.read("celeb_a_subset", "train_official", tmp_path / "tfds")
    assert same_images(official, [folder.files["train"][0], folder.files["train"][3]])
    assert labels is None and not official.flags.writeable
    stored = tfds.builder_from_directory(where).as_dataset(split="train_official+train_half").as_numpy_iterator()
    sizes = {example["file"].decode(): bool(example["half_size"]) for example in stored}
    assert sizes == {row[0]: (row[2], row[3]) == HALF for row in folder.rows if row[1] == "train"}
    batches = data.load("celeb_a_subset", "train", batch_size=2, shuffle=True, data_dir=tmp_path / "tfds")
    assert [batch.shape for batch in batches] == [(2, 64, 64, 3), (2, 64, 64, 3), (1, 64, 64, 3)]
    with pytest.raises(ValueError, match=r"`labels` must be False for 'celeb_a_subset'"):
        data.load("celeb_a_subset", labels=True, data_dir=tmp_path / "tfds")
    with pytest.raises(ValueError, match=r"'train', 'train_official', 'validation', 'test', got 'train_half'"):
        data.load("celeb_a_subset", "train_half", data_dir=tmp_path / "tfds")


def test_the_full_data_set_gives_the_same_images(folder, small, tmp_path):
    import tensorflow_datasets as tfds

    official = {
        split: [(name, content) for name, content in files if size_of(content) == OFFICIAL]
        for split, files in folder.files.items()
    }
    official["train"] += [(f"{seed:06d}.jpg", encoded(picture(seed))) for seed in (100, 101, 102)]
    rows = {
        split: [(name, {"image": io.BytesIO(content), "attributes": {"Bald": False}}) for name, content in files]
        for split, files in official.items()
    }
    tfds.dataset_builders.AdhocBuilder(
        name="celeb_a",
        version="2.1.0",
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(218, 178, 3), encoding_format="jpeg"),  # as TFDS' own builder
                "attributes": {"Bald": np.bool_},
            }
        ),
        split_datasets=rows,
        data_dir=tmp_path / "tfds",
        file_format="tfrecord",
    ).download_and_prepare()
    prepare.prepare("celeb_a_subset", tmp_path / "tfds", source_dir=folder.write())
    for split, files in official.items():
        images, labels = arrays.read("celeb_a", split, tmp_path / "tfds")
        assert same_images(images, files) and labels is None
    both = [
        {i.tobytes() for i in arrays.read(name, "test", tmp_path / "tfds")[0]} for name in ("celeb_a", "celeb_a_subset")
    ]
    assert both[0] == both[1]


def size_of(content):
    return Image.open(io.BytesIO(content)).size


def altered(name, content):
    return name, content[:-5] + b"12345"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files[:-1], r"test.tar: 1 files of index.csv are missing, the first is 000010.jpg"),
        (lambda files: [*files, ("x.jpg", b"")], r"test.tar: x.jpg isn't in index.csv, or is there twice"),
        (lambda files: [*files, files[0]], r"test.tar: 000008.jpg isn't in index.csv, or is there twice"),
        (lambda files: [*files[:-1], altered(*files[-1])], r"test.tar: the sha256 of 000010.jpg must begin with"),
    ],
)
def test_another_archive_is_refused(folder, tmp_path, change, message):
    folder.files["test"] = change(folder.files["test"])
    with pytest.raises(prepare.FetchError, match=message):
        prepare.prepare("celeb_a_subset", tmp_path / "tfds", source_dir=folder.write())
    assert not list((tmp_path / "tfds").rglob("*1.0.0*"))


def test_another_size_than_listed_is_refused(folder, tmp_path):
    folder.rows[-1][2:4] = HALF
    with pytest.raises(prepare.FetchError, match=r"000010.jpg must have size \(89, 109\), got \(178, 218\)"):
        prepare.prepare("celeb_a_subset", tmp_path / "tfds", source_dir=folder.write())


def test_another_index_is_refused(folder, tmp_path):
    source = folder.write()
    (source / "index.csv").write_text((source / "index.csv").read_text() + "\n")
    with pytest.raises(prepare.FetchError, match=r"index.csv must have sha256 [0-9a-f]{64}, got [0-9a-f]{64}"):
        prepare.prepare("celeb_a_subset", tmp_path / "tfds", source_dir=source)


def test_a_folder_without_the_files_is_told_what_is_expected(tmp_path, monkeypatch):
    (tmp_path / "index.csv").write_text("")
    wanted = r"Expected train.tar, .*missing: train.tar, validation.tar, test.tar. Pass .*--source_dir=FOLDER"
    with pytest.raises(prepare.FetchError, match=wanted):
        prepare.prepare("celeb_a_subset", tmp_path / "tfds", source_dir=tmp_path)
    monkeypatch.setattr(prepare, "SHARED", tmp_path / "nowhere")
    with pytest.raises(prepare.FetchError, match=r"missing: train.tar, validation.tar, test.tar, index.csv"):
        prepare.prepare("celeb_a_subset", tmp_path / "tfds")


def test_no_package_holds_the_full_data_set(tmp_path):
    with pytest.raises(prepare.FetchError, match=r"No package holds 'celeb_a'. Use --source=official, or --source_dir"):
        prepare.prepare("celeb_a", tmp_path / "tfds")
    with pytest.raises(ValueError, match="`source_dir` must be None for 'mnist'"):
        prepare.prepare("mnist", tmp_path / "tfds", source_dir=tmp_path)


def test_the_shared_archives_are_the_ones_expected():
    folder = prepare.SHARED / "celeba_subset"
    if not (folder / "index.csv").exists():
        pytest.skip(f"the CelebA subset is not in {folder}")
    rows = celeba.read_index(folder / "index.csv")
    sizes = {split: [size for size, _ in files.values()] for split, files in rows.items()}
    facts = data.spec("celeb_a_subset")
    assert {split: len(files) for split, files in sizes.items()} == {split: facts.sizes[split] for split in sizes}
    assert sizes["train"].count(HALF) == 9_723 and sizes["train"].count(OFFICIAL) == facts.sizes["train_official"]
    assert {*sizes["validation"], *sizes["test"]} == {OFFICIAL}
    images = dict(celeba.members(folder / "test.tar", rows["test"]))
    assert celeba.crop_and_resize(images[min(images)]).shape == (64, 64, 3)
