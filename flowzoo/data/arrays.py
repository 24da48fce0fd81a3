"""Reads a prepared TFDS split into memory, once per process."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from flowzoo.data.specs import spec


class MissingDataError(FileNotFoundError):
    """A data set isn't prepared on this machine; the message names the command that fetches it."""


def read(name: str, split: str, data_dir: str | os.PathLike | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads one split in TFDS' own order.

    Args:
        name: a name of `flowzoo.data.names()`.
        split: a key of `flowzoo.data.spec(name).splits`.
        data_dir: TFDS' folder; None means $TFDS_DATA_DIR or ~/tensorflow_datasets.

    Returns:
        images (n, height, width, channels) uint8 and labels (n,) int32, shared by all callers and read-only;
        None for the labels of a data set without.

    Raises:
        MissingDataError: if the data set isn't there or isn't complete. Nothing is downloaded.
        ValueError: for an unknown name or split.
    """
    facts = spec(name)
    if split not in facts.splits:
        raise ValueError(
            f"`split` must be one of {', '.join(map(repr, facts.splits))}, got {split!r}. Pass one of these."
        )
    root = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser().absolute()
    folder = root / facts.tfds_name.replace(":", "/")
    command = f"python tools/fetch_data.py --dataset={name}" + (f" --data_dir={root}" if data_dir else "")
    if not (folder / "dataset_info.json").exists():
        raise MissingDataError(f"Expected the data set {name!r} in {folder}, found nothing. Run: {command}")
    try:
        images, labels = _read(folder, facts.splits[split], name)
        expected = (facts.sizes[split], *facts.event_shape)
        if images.shape != expected:
            raise ValueError(f"expected images of shape {expected}, got {images.shape}")
    except Exception as error:  # TFDS and TensorFlow raise many kinds for damaged files
        raise MissingDataError(
            f"The data set in {folder} is damaged: {error}\nDelete the folder and run: {command}"
        ) from error
    return images, labels


@functools.cache
def _read(folder: Path, tfds_split: str, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    import tensorflow_datasets as tfds

    facts, convert = spec(name), _conversion(name)
    builder = tfds.builder_from_directory(folder)
    dataset = builder.as_dataset(
        split=tfds_split,
        shuffle_files=False,
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),  # in order
        decoders={"image": tfds.decode.SkipDecoding()} if convert else None,
    )
    size = builder.info.splits[tfds_split].num_examples
    images = np.empty((size, *facts.event_shape), np.uint8)  # filled in place: CelebA's are 2 GB
    labels = np.empty(size, np.int32) if facts.classes else None
    start = 0
    columns = dataset.map(lambda example: {key: example[key] for key in ("image", "label") if key in example})
    for batch in columns.batch(1000).as_numpy_iterator():
        rows = slice(start, start := start + len(batch["image"]))
        images[rows] = convert(batch["image"]) if convert else batch["image"]
        if labels is not None:
            labels[rows] = batch["label"]
    images.flags.writeable = False
    if labels is not None:
        labels.flags.writeable = False
    return images, labels


def _conversion(name: str) -> Callable[[np.ndarray], list[np.ndarray]] | None:
    """What makes examples of TFDS' stored files, a batch at a time; None where TFDS stores the examples themselves."""
    if name != "celeb_a":
        return None
    from flowzoo.data.celeba import crop_and_resize

    pool = ThreadPoolExecutor()  # Pillow works outside Python's lock
    return lambda files: list(pool.map(crop_and_resize, files))
