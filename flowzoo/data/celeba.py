"""CelebA: from an aligned JPEG to 64x64, and the TFDS builder of a folder that holds part of it.

Reference: Liu et al. 2015, Deep learning face attributes in the wild.
"""

import csv
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from flowzoo.data.packages import FetchError

SIDE = 64
CROPS = {(178, 218): 148, (89, 109): 74}  # (width, height) of an image -> side of its centre crop
OFFICIAL = (178, 218)
INDEX, INDEX_SHA256 = "index.csv", "49c2d597652fce4b061d274ddfe55ebfe8b3b647f0c2f25349dde76ab5b3ddd7"
_AGAIN = "Copy the folder again."
ARCHIVES = ("train.tar", "validation.tar", "test.tar")


def crop_and_resize(image: bytes) -> np.ndarray:
    """Cuts the centre out of an aligned CelebA image, 148x148 of 178x218 or 74x74 of 89x109, and makes it 64x64.

    The centre of the half-size image begins between two pixels, at (7.5, 17.5), so both sizes show the same section.
    Resizing is Pillow's: bicubic (a = -1/2), widened for antialiasing by the scale (2.3125 or 1.15625), along the
    width and then along the height, with weights rounded to whole multiples of 2^-22; after each of the two, half is
    rounded up, then clipped to 0 ... 255. All in integers, so the result is the same on every machine.

    Args:
        image: an encoded image file (JPEG; tests use PNG).

    Returns:
        (64, 64, 3) uint8.

    Raises:
        ValueError: for an image of another size or mode.
    """
    with Image.open(io.BytesIO(image)) as picture:
        if picture.size not in CROPS or picture.mode != "RGB":
            raise ValueError(
                f"expected an RGB image of 178x218 or 89x109 (width x height), got {picture.mode} of "
                f"{picture.width}x{picture.height}. Pass CelebA's aligned images as they are."
            )
        side = CROPS[picture.size]
        left, top = (picture.width - side) / 2, (picture.height - side) / 2
        overhang = left % 1.0  # half a pixel at each edge of the half-size crop
        corner = int(left), int(top), int(left + side + overhang), int(top + side + overhang)
        box = overhang, overhang, side + overhang, side + overhang
        return np.asarray(picture.crop(corner).resize((SIDE, SIDE), Image.Resampling.BICUBIC, box))


class CelebASubset(tfds.core.GeneratorBasedBuilder):
    """`celeb_a_subset`: CelebA images from train.tar, validation.tar, test.tar as index.csv lists them, cut to 64x64.

    The training images are two TFDS splits, `train_official` and `train_half`, by the size of the original.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "python tools/fetch_data.py --dataset=celeb_a_subset --source_dir=FOLDER"

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(SIDE, SIDE, 3), encoding_format="png"),
            "half_size": np.bool_,
            "file": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        folder = Path(dl_manager.manual_dir)
        rows = read_index(folder / INDEX)
        return {
            "train_official": self._generate_examples(folder / "train.tar", rows["train"], half_size=False),
            "train_half": self._generate_examples(folder / "train.tar", rows["train"], half_size=True),
            "validation": self._generate_examples(folder / "validation.tar", rows["validation"], half_size=False),
            "test": self._generate_examples(folder / "test.tar", rows["test"], half_size=False),
        }

    def _generate_examples(self, archive: Path, rows: dict, half_size: bool) -> Iterator[tuple[str, dict]]:
        for file, content in members(archive, rows):
            if half_size == (rows[file][0] != OFFICIAL):
                yield file, {"image": crop_and_resize(content), "half_size": half_size, "file": file}


def read_index(path: Path) -> dict[str, dict[str, tuple[tuple[int, int], str]]]:
    """Reads index.csv once its sha256 is right.

    Returns:
        split -> file -> ((width, height), first 16 hexadecimal digits of the sha256).

    Raises:
        FetchError: the file isn't the one expected.
    """
    content = path.read_bytes()
    got = hashlib.sha256(content).hexdigest()
    if got != INDEX_SHA256:
        raise FetchError(f"{path} must have sha256 {INDEX_SHA256}, got {got}. {_AGAIN}")
    rows = {Path(archive).stem: {} for archive in ARCHIVES}
    for row in csv.DictReader(io.StringIO(content.decode())):
        rows[row["split"]][row["file"]] = (int(row["width"]), int(row["height"])), row["sha256_16"]
    return rows


def members(archive: Path, rows: dict) -> Iterator[tuple[str, bytes]]:
    """Reads a tar archive and checks every file in it.

    Args:
        archive: the archive.
        rows: the files that must be in it, as a split of `read_index`.

    Yields:
        Name and content of each file, in the archive's order.

    Raises:
        FetchError: a file is missing, not listed, there twice, damaged, or of another size than listed.
    """
    left = dict(rows)
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            if member.name not in left:
                raise FetchError(f"{archive.name}: {member.name} isn't in {INDEX}, or is there twice. {_AGAIN}")
            content = tar.extractfile(member).read()
            size, expected = left.pop(member.name)
            got = hashlib.sha256(content).hexdigest()[: len(expected)]
            if got != expected:
                raise FetchError(
                    f"{archive.name}: the sha256 of {member.name} must begin with {expected}, got {got}. {_AGAIN}"
                )
            with Image.open(io.BytesIO(content)) as picture:
                if picture.size != size:
                    raise FetchError(f"{archive.name}: {member.name} must have size {size}, got {picture.size}.")
            yield member.name, content
    if left:
        raise FetchError(
            f"{archive.name}: {len(left)} files of {INDEX} are missing, the first is {min(left)}. {_AGAIN}"
        )
