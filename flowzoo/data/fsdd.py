"""FSDD: spoken digits, and the TFDS builder of a folder that holds its recordings.

Reference: Jackson et al. 2018, Free spoken digit dataset, doi:10.5281/zenodo.1342401.
"""

import csv
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from flowzoo.data.packages import FetchError
from flowzoo.modalities.audio import decode_audio

ARCHIVE, INDEX = "recordings.tar", "index.csv"
INDEX_SHA256 = "f7d94f7cc9fe6b73b55fb2c89453104e31fd81420906ff03002208c1a7d268a8"
RATE = 8000
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
TEST, VALIDATION = range(5), range(5, 8)  # by the number of a recording, of 50 of each digit and speaker
_AGAIN = "Copy the folder again."


def split_of(name: str) -> str:
    """The split of a recording: those numbered 0 to 4 are the official test, 5 to 7 validation.

    >>> split_of("7_theo_3"), split_of("7_theo_5"), split_of("7_theo_49")
    ('test', 'validation', 'train')
    """
    number = int(name.rpartition("_")[2])
    return "test" if number in TEST else "validation" if number in VALIDATION else "train"


def read_index(path: Path) -> dict[str, dict[str, str]]:
    """The rows of index.csv by the name of the recording, once its sha256 is right; raises `FetchError` if not."""
    content = path.read_bytes()
    got = hashlib.sha256(content).hexdigest()
    if got != INDEX_SHA256:
        raise FetchError(f"{path} must have sha256 {INDEX_SHA256}, got {got}. {_AGAIN}")
    return {row["name"]: row for row in csv.DictReader(io.StringIO(content.decode()))}


def recordings(archive: Path, index: dict[str, dict[str, str]]) -> dict[str, np.ndarray]:
    """Reads the FLAC files of a tar archive and checks every sample.

    Args:
        archive: holds NAME.flac of each row of the index, and nothing else.
        index: as `read_index` gives it.

    Returns:
        Name -> (samples,) int16, in the order of the index.

    Raises:
        FetchError: a file is missing, not in the index, unreadable, or of other samples than the index states.
    """
    found = {}
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            name = Path(member.name).stem
            if name not in index or name in found:
                raise FetchError(f"{archive.name}: {member.name} is not in {INDEX}, or is there twice. {_AGAIN}")
            try:
                found[name] = decode_audio(tar.extractfile(member).read(), RATE, f"{archive.name}: {member.name}")
            except ValueError as error:
                raise FetchError(str(error)) from error
            got, expected = hashlib.sha256(found[name].astype("<i2").tobytes()).hexdigest(), index[name]
            if got != expected["sha256_of_int16"]:
                raise FetchError(
                    f"{archive.name}: the samples of {member.name} must have sha256 {expected['sha256_of_int16']}, got "
                    f"{got}. {_AGAIN}"
                )
    if missing := sorted(set(index) - set(found)):
        raise FetchError(
            f"{archive.name} must hold all recordings, missing {len(missing)}, first {missing[0]}.flac. {_AGAIN}"
        )
    return {name: found[name] for name in index}


class Fsdd(tfds.core.GeneratorBasedBuilder):
    """`fsdd`: the recordings in recordings.tar, whole and in the order of index.csv."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "python tools/fetch_data.py --dataset=fsdd --source_dir=FOLDER"

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "audio": tfds.features.Tensor(shape=(None,), dtype=np.int16),
            "label": tfds.features.ClassLabel(num_classes=10),
            "speaker": tfds.features.ClassLabel(names=SPEAKERS),
            "name": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features), disable_shuffling=True)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        folder = Path(dl_manager.manual_dir)
        index = read_index(folder / INDEX)
        found = recordings(folder / ARCHIVE, index)
        return {
            split: self._generate_examples({name: found[name] for name in found if split_of(name) == split}, index)
            for split in ("train", "validation", "test")
        }

    def _generate_examples(self, found: dict, index: dict) -> Iterator[tuple[int, dict]]:
        for number, (name, samples) in enumerate(found.items()):
            row = index[name]
            facts = {"label": int(row["digit"]), "speaker": row["speaker"], "name": name}
            yield number, {"audio": samples} | facts
