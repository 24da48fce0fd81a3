"""Reads a split into memory, from TFDS or the package, or draws it from its density, once per process."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from flowzoo.data import binarised, fixtures
from flowzoo.data.clips import Clips
from flowzoo.data.energies import density
from flowzoo.data.specs import LABEL, DatasetSpec, spec, split_seed


class MissingDataError(FileNotFoundError):
    """A data set isn't prepared on this machine; the message names the command that fetches it."""


def read(
    name: str, split: str, data_dir: str | os.PathLike | None = None
) -> tuple[np.ndarray | Clips, np.ndarray | None]:
    """Reads one split in TFDS' own order, or draws it.

    Args:
        name: a name of `flowzoo.data.names()`.
        split: a key of `flowzoo.data.spec(name).splits`.
        data_dir: TFDS' folder; None means $TFDS_DATA_DIR or ~/tensorflow_datasets. No effect on data sets that are
            `ready`.

    Returns:
        x (n, *event_shape), uint8 or for continuous data float32, or `Clips` of recordings, and labels (n,) int32,
        shared by all callers and read-only; None for the labels of a data set without.

    Raises:
        MissingDataError: if the data set isn't there or isn't complete. Nothing is downloaded.
        ValueError: for an unknown name or split.
    """
    facts = spec(name)
    if facts.binarised and split in facts.splits:
        return _binarised(name, split, data_dir)
    if split not in facts.splits:
        raise ValueError(
            f"`split` must be one of {', '.join(map(repr, facts.splits))}, got {split!r}. Pass one of these."
        )
    if facts.drawn:
        return _drawn(name, split, facts.sizes[split]), None
    if facts.packaged:
        return _packaged(name, facts.splits[split])
    folder = place(name, data_dir)
    root = folder.parents[1]
    command = f"python tools/fetch_data.py --dataset={name}" + (f" --data_dir={root}" if data_dir else "")
    if not prepared(folder):
        raise MissingDataError(f"Expected the data set {name!r} in {folder}, found nothing. Run: {command}")
    try:
        x, labels = _read(folder, facts.splits[split], name)
        expected = (facts.sizes[split], *facts.event_shape)
        if x.shape != expected:
            raise ValueError(f"expected examples of shape {expected}, got {x.shape}")
    except Exception as error:  # TFDS and TensorFlow raise errors of many kinds for damaged files
        raise MissingDataError(
            f"The data set in {folder} is damaged: {error}\nDelete the folder and run: {command}"
        ) from error
    return x, labels


def place(name: str, data_dir: str | os.PathLike | None = None) -> Path:
    """The folder of a data set that is not drawn, whether it exists or not; `data_dir` is as in `read`."""
    root = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser().absolute()
    return root / spec(name).tfds_name.replace(":", "/")


def prepared(folder: Path) -> bool:
    """Whether a data set was written to this folder completely."""
    return (folder / "dataset_info.json").exists()


@functools.cache
def _drawn(name: str, split: str, size: int) -> np.ndarray:
    x = density(name).sample(size, seed=split_seed(name, split))
    x.flags.writeable = False
    return x


@functools.cache
def _binarised(name: str, split: str, data_dir: str | os.PathLike | None) -> tuple[np.ndarray, np.ndarray | None]:
    grey, labels = read(spec(name).binarised, split, data_dir)
    x = binarised.once(grey, split_seed(name, split))
    x.flags.writeable = False
    return x, labels


@functools.cache
def _packaged(name: str, last_digits: str) -> tuple[np.ndarray, np.ndarray]:
    x, labels = fixtures.whole(name)
    rows = np.isin(np.arange(len(x)) % 10, [int(digit) for digit in last_digits.split(",")])
    x, labels = x[rows], labels[rows]
    x.flags.writeable = labels.flags.writeable = False
    return x, labels


@functools.cache
def _read(folder: Path, tfds_split: str, name: str) -> tuple[np.ndarray | Clips, np.ndarray | None]:
    import tensorflow_datasets as tfds

    facts, convert = spec(name), _conversion(name)
    builder = tfds.builder_from_directory(folder)
    dataset = builder.as_dataset(
        split=tfds_split,
        shuffle_files=False,
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),  # in order
        decoders={facts.feature: tfds.decode.SkipDecoding()} if convert else None,
    )
    stored = builder.info.features[facts.feature].shape
    if None in stored:
        return _recordings(dataset, facts)
    record = 1 if len(stored) == len(facts.event_shape) else stored[0]  # examples in one record
    size = record * builder.info.splits[tfds_split].num_examples
    x = np.empty((size, *facts.event_shape), facts.x_space.dtype)  # filled in place: CelebA's are 2 GB
    labels = np.empty(size, np.int32) if LABEL in facts.conditions else None
    start = 0
    keys = [facts.feature] + ([] if labels is None else ["label"])
    columns = dataset.map(lambda example: {key: example[key] for key in keys})
    for batch in columns.batch(-(-1000 // record)).as_numpy_iterator():
        part = batch[facts.feature]
        part = convert(part) if convert else part.reshape(-1, *facts.event_shape)
        rows = slice(start, start := start + len(part))
        x[rows] = part
        if labels is not None:
            labels[rows] = batch["label"]
    x.flags.writeable = False
    if labels is not None:
        labels.flags.writeable = False
    return x, labels


def _recordings(dataset, facts: DatasetSpec) -> tuple[Clips, np.ndarray | None]:
    """Clips of recordings of different lengths, and the label of each clip."""
    rows = list(dataset.as_numpy_iterator())
    samples = np.concatenate([row[facts.feature] for row in rows])
    samples.flags.writeable = False
    clips = Clips(samples, [len(row[facts.feature]) for row in rows], *facts.event_shape)
    if LABEL not in facts.conditions:
        return clips, None
    labels = np.array([row["label"] for row in rows], np.int32)[clips.recording]
    labels.flags.writeable = False
    return clips, labels


def _conversion(name: str) -> Callable[[np.ndarray], list[np.ndarray]] | None:
    """The function from TFDS' stored files to examples, by batches; None where TFDS stores the examples themselves."""
    if name != "celeb_a":
        return None
    from flowzoo.data.celeba import crop_and_resize

    pool = ThreadPoolExecutor()  # Pillow works outside Python's lock
    return lambda files: list(pool.map(crop_and_resize, files))
