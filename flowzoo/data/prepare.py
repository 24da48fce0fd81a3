"""Prepares a data set with TFDS' own builder from checked official files."""

import contextlib
import gzip
import hashlib
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from flowzoo.data import fixtures, packages
from flowzoo.data.packages import FetchError
from flowzoo.data.specs import DatasetSpec, spec

# TFDS registers only the sum of cifar-10-binary.tar.gz, which can't be packed again bit for bit; these are the sums of
# the files in it. MXNet's data sets list the same six .bin files (by SHA-1).
_CIFAR10_SHA256 = {
    "batches.meta.txt": "558e74b5e208382e186da55784b4bac2cd52e558448e1b5800990fdb28ed8033",
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
SHARED = Path(__file__).parents[3] / "shared" / "data"  # beside the checkout


def prepare(
    name: str,
    data_dir: str | os.PathLike | None = None,
    source: str = "packages",
    source_dir: str | os.PathLike | None = None,
) -> Path | None:
    """Downloads and prepares a data set, unless it is there already or has no files.

    Nothing half-written is ever loaded: files are checked in a scratch folder or as they are read, and TFDS writes
    under another name and renames when complete.

    Args:
        name: a name of `flowzoo.data.names()`.
        data_dir: TFDS' folder; None means TFDS' default.
        source: "packages" takes the files from pip, apt or npm; "official" lets TFDS download them.
        source_dir: a folder with the `files` of a data set that has some (default: its `folder` in `SHARED`), or the
            official ones of `celeb_a`.

    Returns:
        The folder of the prepared data set; None for one that is `ready`.

    Raises:
        FetchError: if the files can't be had, differ from the official ones, or can't be written.
        ValueError: for an unknown name or source, or a `source_dir` for another data set.
    """
    if source not in ("packages", "official"):
        raise ValueError(f"`source` must be 'packages' or 'official', got {source!r}. Pass one of these.")
    facts = spec(name)
    if facts.binarised:
        return prepare(facts.binarised, data_dir, source, source_dir)
    if source_dir is not None and not facts.files and name != "celeb_a":
        origin = (
            "is drawn in memory" if facts.drawn else "lies in the package" if facts.packaged else "comes from packages"
        )
        raise ValueError(f"`source_dir` must be None for {name!r}, got {str(source_dir)!r}: it {origin}.")
    if facts.ready:
        return None
    if source_dir is not None and not Path(source_dir).is_dir():
        raise FetchError(f"Expected a folder with the files of {name!r}, there is none at {source_dir}.")
    if facts.files and source == "official":
        raise ValueError(f"`source` must not be 'official' for {name!r}, which nobody hosts. Pass `source_dir`.")
    import tensorflow_datasets as tfds

    if facts.files:
        from flowzoo.data import bsds, celeba, fsdd  # noqa: F401 - makes their builders known to TFDS
    builder = tfds.builder(facts.tfds_name, data_dir=data_dir)
    if builder.is_prepared():
        return Path(builder.data_dir)
    with tempfile.TemporaryDirectory(prefix="flowzoo-fetch-") as scratch:
        files = _files(name, source, source_dir, Path(scratch))
        config = tfds.download.DownloadConfig(manual_dir=files, try_download_gcs=files is None)
        packed = name == "cifar10" and files is not None
        try:
            with _cifar10_archive(builder, files) if packed else contextlib.nullcontext():
                builder.download_and_prepare(download_dir=Path(scratch) / "tfds", download_config=config)
        except (OSError, tarfile.TarError, tfds.core.download.download_manager.NonMatchingChecksumError) as error:
            raise FetchError(f"Preparing {name!r} failed: {error}") from error
    return Path(builder.data_dir)


def _files(name: str, source: str, source_dir: str | os.PathLike | None, scratch: Path) -> Path | None:
    """The folder with the files that TFDS need not download; None lets it download them all."""
    facts = spec(name)
    if facts.files:
        return _complete(facts, Path(source_dir) if source_dir else SHARED / facts.folder)
    if source_dir is not None:
        return Path(source_dir)
    if source == "official":
        return None
    return checked_files(name, scratch)


def _complete(facts: DatasetSpec, folder: Path) -> Path:
    missing = [file for file in facts.files if not (folder / file).is_file()]
    if missing:
        raise FetchError(
            f"Expected {', '.join(facts.files)} of {facts.name!r} in {folder}, missing: {', '.join(missing)}. Pass "
            f"--source_dir=FOLDER, {facts.source}. They are in no package because of their licence: {facts.licence}."
        )
    return folder


def write_fixture(name: str) -> Path:
    """Writes `flowzoo.data.fixture(name)` anew from the first official test images: 256 grey ones or 64 of CIFAR-10.

    Args:
        name: a name of `flowzoo.data.names()`.

    Returns:
        The file written.

    Raises:
        FetchError: if the official files can't be had.
        ValueError: for an unknown name, or a data set whose images may not be shipped.
    """
    if spec(name).binarised:
        return write_fixture(spec(name).binarised)
    fixtures.path(name)  # refuses data sets whose images may not be shipped
    with tempfile.TemporaryDirectory(prefix="flowzoo-fetch-") as scratch:
        files = checked_files(name, Path(scratch))
        if name == "cifar10":
            records = np.fromfile(files / packages.CIFAR10_FOLDER / "test_batch.bin", np.uint8).reshape(-1, 3073)[:64]
            images, labels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]
        else:
            pixels = gzip.decompress((files / "t10k-images-idx3-ubyte.gz").read_bytes())
            classes = gzip.decompress((files / "t10k-labels-idx1-ubyte.gz").read_bytes())
            images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28, 1)[:256]
            labels = np.frombuffer(classes, np.uint8, offset=8)[:256]
    return fixtures.write(name, images, labels)


def checked_files(name: str, scratch: Path) -> Path:
    """Fetches the official files of a data set and checks them.

    Args:
        name: a name of `flowzoo.data.names()`.
        scratch: an existing, empty folder.

    Returns:
        A folder under `scratch`; CIFAR-10's files lie in its subfolder `packages.CIFAR10_FOLDER`.

    Raises:
        FetchError: if the files can't be had or differ.
    """
    files = packages.official_files(name, scratch)
    if name == "cifar10":
        check_sums(files / packages.CIFAR10_FOLDER, _CIFAR10_SHA256)
    else:
        check_sums(files, registered_sums(name))
    return files


def registered_sums(name: str) -> dict[str, str]:
    """Returns file name -> sha256 of a data set's downloads, as TFDS has registered them."""
    import tensorflow_datasets as tfds

    infos = tfds.builder_cls(spec(name).tfds_name.split(":")[0]).url_infos
    return {info.filename: info.checksum for info in infos.values()}


def check_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """Checks files against their sha256.

    Args:
        folder: where the files are.
        sums: file name -> sha256, hexadecimal.

    Raises:
        FetchError: if a file is missing or differs.
    """
    for filename, expected in sums.items():
        path = folder / filename
        if not path.exists():
            raise FetchError(
                f"Expected the file {filename}, got none. The package may have changed; use --source=official."
            )
        got = hashlib.sha256(path.read_bytes()).hexdigest()
        if got != expected:
            raise FetchError(f"{filename} must have sha256 {expected}, got {got}. Try again or use --source=official.")


@contextlib.contextmanager
def _cifar10_archive(builder, files: Path) -> Iterator[None]:
    """Packs CIFAR-10's checked files and has TFDS expect the sum of this archive instead of the official one's."""
    from tensorflow_datasets.core.download import checksums

    ((url, official),) = builder.url_infos.items()
    archive = files / official.filename
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(files / packages.CIFAR10_FOLDER, packages.CIFAR10_FOLDER)
    builder.url_infos[url] = checksums.compute_url_info(archive)
    try:
        yield
    finally:
        builder.url_infos[url] = official
