"""Examples or latents from arrays, tables, pictures and folders of pictures."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowzoo.cli.tables import SUFFIXES, read_table
from flowzoo.files import irregular

if TYPE_CHECKING:
    from PIL import Image

    from flowzoo.flows import Flow

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")  # looked for in folders
KNOWN = "a .npy, .csv or .parquet file, a picture such as PNG, or a folder of pictures"


@dataclasses.dataclass(frozen=True)
class Form:
    """What an array must be.

    Attributes:
        shape: of one example.
        dtype: its numbers; in what integers may be stored does not matter.
        bits: they are integers 0 ... 2^bits - 1; 0 for finite floating-point numbers.
        what: they are called in messages.
    """

    shape: tuple[int, ...]
    dtype: str
    bits: int = 0
    what: str = "examples"


def data(flow: Flow) -> Form:
    """The form of what `flow` encodes."""
    return Form(tuple(flow.event_shape), flow.data_dtype, flow.bits)


def latents(flow: Flow) -> Form:
    """The form of what `flow` decodes."""
    return Form(tuple(flow.latent_shape), flow.compute_dtype, what="latents")


def read(paths: Sequence[str], form: Form, columns: Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Everything in some files, as one array.

    Args:
        paths: `.npy` files of (n, *shape) or of one example; `.csv` and `.parquet` tables of an example in each row,
            flattened; pictures of 8 bits, from which the lowest are dropped if the form has fewer; folders, whose
            pictures are taken in the order of their paths.
        form: what is wanted.
        columns: of the tables; all if not given.

    Returns:
        (n, *form.shape) of form.dtype, and (n,) the file that each row came from.

    Raises:
        ValueError: a file is of no such kind, its shape or numbers are not those of the form, or it holds no rows.
        OSError: it can't be read.
    """
    if "" in paths:  # which is the folder here to `Path`
        raise ValueError("a file must have a name, got ''. Is a variable of the shell empty?")
    files = [file for path in paths for file in _files(Path(path))]
    arrays = [_conform(file, _read(file, form, columns), form) for file in files]
    texts = (str(file).encode(errors="backslashreplace").decode() for file in files)  # names need not be Unicode
    names = np.array(list(texts), object)  # each text once, however many rows
    return np.concatenate(arrays), np.repeat(names, [len(array) for array in arrays])


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if wrong := irregular(path):
            raise ValueError(f"{path} {wrong}. Save what comes from it to a file first.")
        return [path]
    pictures = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICTURES and file.is_file())
    if not pictures:
        raise ValueError(f"{path}: expected a folder with pictures ({', '.join(PICTURES)}), found none in it.")
    return pictures


def _read(path: Path, form: Form, columns: Sequence[str] | None) -> np.ndarray:
    if path.suffix == ".npy":
        return _array(path, form)
    if path.suffix in SUFFIXES:
        return _table(path, form, columns)
    array = _picture(path, "L" if form.shape[-1] == 1 else "RGB")
    return array >> (8 - form.bits) if 0 < form.bits < 8 else array


def _conform(path: Path, array: np.ndarray, form: Form) -> np.ndarray:
    if array.shape == form.shape:
        array = array[None]
    if array.shape[1:] != form.shape:
        raise ValueError(f"{path}: {form.what} must have shape {form.shape}, got an array of shape {array.shape}.")
    if not len(array):
        raise ValueError(f"{path}: expected at least one row of {form.what}, got an array of shape {array.shape}.")
    if not np.issubdtype(array.dtype, np.integer if form.bits else np.floating):
        raise ValueError(f"{path}: {form.what} must be {form.dtype}, got {array.dtype}. Save them in native units.")
    if form.bits and (array.min() < 0 or array.max() >= 2**form.bits):
        found = f"{array.min()} to {array.max()}"
        raise ValueError(f"{path}: {form.what} must be integers 0 to {2**form.bits - 1}, got {found}.")
    with np.errstate(over="ignore"):
        array = array.astype(form.dtype)
    bad = bad_rows(array)
    if len(bad):
        raise ValueError(
            f"{path}: {form.what} must be finite {form.dtype}, got NaN, infinity or nothing in {len(bad)} of "
            f"{len(array)} rows, first in row {bad[0]} (counted from 0). Remove or repair these rows."
        )
    return array


def bad_rows(array: np.ndarray) -> np.ndarray:
    """The indices of the rows with NaN or infinity."""
    return np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))


def _array(path: Path, form: Form) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # NumPy parses the header as Python, so that a broken one raises nearly anything
        raise ValueError(f"{path}: expected an array written by numpy.save, got: {error}.") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError(f"{path}: expected an array written by numpy.save, got an .npz archive. Save the array alone.")
    return array


def _table(path: Path, form: Form, columns: Sequence[str] | None) -> np.ndarray:
    rows = read_table(path, columns)
    width = math.prod(form.shape)
    if rows.shape[1] != width:
        raise ValueError(
            f"{path}: {form.what} of shape {form.shape} take {width} columns, got {rows.shape[1]}. "
            "Choose them by --columns=NAME,NAME,..."
        )
    if form.bits:
        broken = np.flatnonzero((rows != np.round(rows)).any(axis=1))  # NaN is among them
        if len(broken):
            raise ValueError(
                f"{path}: {form.what} must be integers 0 to {2**form.bits - 1}, got something else in {len(broken)} of "
                f"{len(rows)} rows, first in row {broken[0]} (counted from 0)."
            )
        rows = np.clip(rows, -(2.0**53), 2.0**53).astype(np.int64)  # what is larger is refused for its range
    return rows.reshape(len(rows), *form.shape)


def _picture(path: Path, mode: str) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore")  # of what is read all the same
            picture.load()
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: expected {KNOWN}, got something else.") from error
    except Exception as error:  # each format has its own, and one for sizes that would fill the memory
        if isinstance(error, OSError) and error.filename:
            raise
        raise ValueError(f"{path}: expected a readable picture, got: {error}.") from error
    return _pixels(path, picture, mode)


def _pixels(path: Path, picture: Image.Image, mode: str) -> np.ndarray:
    if picture.mode.startswith(("I", "F")) or _png_depth(path) > 8:
        raise ValueError(f"{path}: expected a picture of 8 bits per channel, got more. Save it with 8 bits.")
    if picture.mode.endswith(("A", "a")) or "transparency" in picture.info:
        raise ValueError(f"{path}: expected a picture without transparency, got one with. Save it without.")
    return np.asarray(picture.convert(mode)).reshape(1, *picture.size[::-1], -1)


def _png_depth(path: Path) -> int:  # Pillow cuts colours of 16 bits to 8 without a word
    with open(path, "rb") as file:
        head = file.read(25)
    return head[24] if head.startswith(b"\x89PNG") and len(head) == 25 else 8
