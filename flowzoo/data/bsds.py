"""BSDS300: patches of natural images as vectors of 63 numbers, and the TFDS builder that draws them.

References: Martin et al. 2001, A database of human segmented natural images; the protocol is that of Papamakarios et
al. 2017, Masked autoregressive flow for density estimation, arXiv:1705.07057, who follow Uria et al. 2013.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from flowzoo.data.packages import FetchError

ARCHIVE = "images.tar"
SIDE = 8
FEATURES = SIDE * SIDE - 1
RECORD = 1000  # patches in one record of TFDS: with one each, a million records would take minutes
SPLITS = {"train": ("train", 1000), "validation": ("train", 50), "test": ("test", 250)}  # whose images, records
COUNTS = {"train": 200, "test": 100}  # images
GREY_SHA256 = {  # of all grey pixels, image after image
    "train": "df538f5aa0955be7953f16b10fe4a02bd4603a51d12655319bd93143cd2e1a94",
    "test": "178192738d78f147587f886da8f24c97a215d771dbc9f8e32e4af3b10c6199de",
}


def grey(colours: np.ndarray) -> np.ndarray:
    """Luma of ITU-R BT.601 in integers, as Pillow's "L": (height, width, 3) uint8 -> (height, width) uint8."""
    weighted = colours.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
    return ((weighted + 2**15) >> 16).astype(np.uint8)


def patches(images: list[np.ndarray], records: int, stream: int) -> Iterator[np.ndarray]:
    """Draws patches: (8x8 pixels + U(0, 1)) / 256, minus their mean, without the last pixel.

    Each patch takes 65 raw 64-bit numbers of NumPy's PCG64, seeded by [300, stream]. The upper 32 bits of the first
    select the patch: multiplied by the number of positions and shifted right by 32, they are the index of a position,
    counted image after image and row after row; positions may recur. The upper 32 bits of the others, divided by 2^32,
    are the noise of the pixels, row after row. Everything is computed in integers and rounded to float32 once, at the
    end, so the result is the same on every machine.

    Args:
        images: (height, width) uint8 each, of any sizes from 8x8.
        records: how many times `RECORD` patches.
        stream: another number draws other patches.

    Yields:
        (RECORD, 63) float32.
    """
    pixels = np.concatenate([image.ravel() for image in images]).astype(np.int64)
    heights, widths = np.array([image.shape for image in images]).T
    places = (heights - SIDE + 1) * (widths - SIDE + 1)
    first_place, first_pixel = np.cumsum(places) - places, np.cumsum(heights * widths) - heights * widths
    raw, inside = np.random.PCG64([300, stream]), np.arange(SIDE)
    for _ in range(records):
        words = (raw.random_raw(RECORD * (SIDE * SIDE + 1)) >> np.uint64(32)).astype(np.int64).reshape(RECORD, -1)
        place = (words[:, 0] * places.sum()) >> 32
        image = np.searchsorted(first_place, place, side="right") - 1
        row, column = np.divmod(place - first_place[image], widths[image] - SIDE + 1)
        corner = first_pixel[image] + row * widths[image] + column
        index = corner[:, None, None] + inside[:, None] * widths[image][:, None, None] + inside
        noisy = (pixels[index].reshape(RECORD, -1) << 32) + words[:, 1:]
        centred = SIDE * SIDE * noisy - noisy.sum(axis=1, keepdims=True)
        yield (centred[:, :FEATURES].astype(np.float64) * 2.0**-46).astype(np.float32)


def read_images(archive: Path) -> dict[str, list[np.ndarray]]:
    """Reads train/<number>.jpg and test/<number>.jpg of a tar archive, ordered by number, as grey pixels.

    Returns:
        "train" and "test" -> (height, width) uint8 each.

    Raises:
        FetchError: images are missing, or their pixels are not those that flowzoo expects.
    """
    found = {split: {} for split in COUNTS}
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            path = Path(member.name)
            if path.suffix == ".jpg" and path.parent.name in found:
                with Image.open(io.BytesIO(tar.extractfile(member).read())) as picture:
                    found[path.parent.name][int(path.stem)] = grey(np.asarray(picture.convert("RGB")))
    images = {split: [by_number[number] for number in sorted(by_number)] for split, by_number in found.items()}
    counts = {split: len(some) for split, some in images.items()}
    if counts != COUNTS:
        raise FetchError(f"{archive} must hold these counts: {COUNTS}, got {counts}. Copy it again.")
    for split, some in images.items():
        got = hashlib.sha256(b"".join(image.tobytes() for image in some)).hexdigest()
        if got != GREY_SHA256[split]:
            raise FetchError(
                f"{archive}: the grey pixels of the {split} images must have sha256 {GREY_SHA256[split]}, got {got}. "
                "The images differ, or this Pillow decodes JPEG differently: use one with libjpeg-turbo."
            )
    return images


class Bsds300(tfds.core.GeneratorBasedBuilder):
    """`bsds300`: patches of the images in images.tar; a record of TFDS is `RECORD` patches, in the order drawn."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "python tools/fetch_data.py --dataset=bsds300 --source_dir=FOLDER"

    def _info(self) -> tfds.core.DatasetInfo:
        patches = tfds.features.Tensor(shape=(RECORD, FEATURES), dtype=np.float32, encoding="bytes")
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"x": patches}), disable_shuffling=True
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        images = read_images(Path(dl_manager.manual_dir) / ARCHIVE)
        return {
            split: self._generate_examples(images[source], records, stream)
            for stream, (split, (source, records)) in enumerate(SPLITS.items())
        }

    def _generate_examples(self, images: list[np.ndarray], records: int, stream: int) -> Iterator[tuple[int, dict]]:
        for index, x in enumerate(patches(images, records, stream)):
            yield index, {"x": x}
