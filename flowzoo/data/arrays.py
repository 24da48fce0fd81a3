"""Reads a prepared TFDS split into memory, once per process."""

import functools
import os
from pathlib import Path

import numpy as np

from flowzoo.data.specs import spec


class MissingDataError(FileNotFoundError):
    """A data set isn't prepared on this machine; the message names the command that fetches it."""


def read(name: str, split: str, data_dir: str | os.PathLike | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Reads one split in TFDS' own order.

    Args:
        name: a name of `flowzoo.data.names()`.
        split: "train", "validation" or "test".
        data_dir: TFDS' folder; None means $TFDS_DATA_DIR or ~/tensorflow_datasets.

    Returns:
        images (n, height, width, channels) uint8 and labels (n,) int32, shared by all callers and read-only.

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
        images, labels = _read(folder, facts.splits[split])
        expected = (facts.sizes[split], *facts.event_shape)
        if images.shape != expected:
            raise ValueError(f"expected images of shape {expected}, got {images.shape}")
    except Exception as error:  # TFDS and TensorFlow raise many kinds for damaged files
        raise MissingDataError(
            f"The data set in {folder} is damaged: {error}\nDelete the folder and run: {command}"
        ) from error
    return images, labels


@functools.cache
def _read(folder: Path, tfds_split: str) -> tuple[np.ndarray, np.ndarray]:
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(folder)
    in_order = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    dataset = builder.as_dataset(split=tfds_split, shuffle_files=False, read_config=in_order).batch(1000)
    batches = [(batch["image"], batch["label"]) for batch in dataset.as_numpy_iterator()]
    images = np.concatenate([image for image, _ in batches])
    labels = np.concatenate([label for _, label in batches]).astype(np.int32)
    images.flags.writeable = labels.flags.writeable = False
    return images, labels
