"""Examples or latents from arrays, tables, images and folders of images."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowzoo.cli import image_files, tables
from flowzoo.cli.common import note
from flowzoo.core.columns import Columns, listed
from flowzoo.core.files import irregular
from flowzoo.core.space import Space
from flowzoo.modalities import image

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow

KNOWN = "a .npy, .csv or .parquet file, an image such as PNG, or a folder of images"
FLAT = "a .npy, .csv or .parquet file"


@dataclasses.dataclass(frozen=True)
class Form:
    """What an array must be.

    Attributes:
        space: of one example; in what type integers are stored does not matter.
        what: they are called in messages.
        names: of the columns that the flow was fitted on; () if it knows none.
        usual: what its columns are called by number, as in x0, x1, ...: those of flowzoo's own tables.
    """

    space: Space
    what: str = "examples"
    names: tuple[str, ...] = ()
    usual: str = "x"


def data(flow: Flow) -> Form:
    """The form of what `flow` encodes."""
    names = flow.columns or ()  # of the frames that it was fitted on
    return Form(flow.x_space, names=tuple(names))


def latents(flow: Flow) -> Form:
    """The form of what `flow` decodes."""
    return Form(flow.z_space, what="latents", usual="z")


def condition(name: str, space: Space) -> Form:
    """The form of one condition."""
    return Form(space, what=f"values of {name}", usual="c")


def read(paths: Sequence[str], form: Form, columns: Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Everything in some files, as one array.

    Args:
        paths: `.npy` files of (n, *shape) or of one example; `.csv` and `.parquet` tables of an example in each row,
            flattened; images (`image_files.read_image`); folders, whose images are taken in the order of their paths,
            without hidden files.
        form: what is wanted.
        columns: of the tables, in this order. If not given, those that the flow was fitted on or those called x0, x1,
            ... by their names; else all in the order of the first table, which stderr says.

    Returns:
        (n, *form.space.shape) of form.space.dtype, and (n,) the file that each row came from.

    Raises:
        ValueError: a file is of no such kind, its shape, names or numbers are not those of the form, or it has no rows.
        OSError: it can't be read.
    """
    return read_each([paths], form, columns)[0]


def read_each(
    groups: Sequence[Sequence[str]], form: Form, columns: Sequence[str] | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """What `read` gives for each of some groups of paths, with the columns of all tables in one order."""
    taken = Columns(columns, form.names, [f"{form.usual}{i}" for i in range(_width(form))])
    found = [_group(paths, form, taken) for paths in groups]
    if taken.assumed:
        note(taken.assumed)
    return found


def _group(paths: Sequence[str], form: Form, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    if "" in paths:  # which is the folder here to `Path`
        raise ValueError("a file must have a name, got ''. Is a variable of the shell empty?")
    files = [file for path in paths for file in _files(Path(path))]
    arrays = [_conform(file, _read(file, form, columns), form) for file in files]
    texts = (str(file).encode(errors="backslashreplace").decode() for file in files)  # names need not be Unicode
    names = np.array(list(texts), object)  # each text once, however many rows
    rows = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]  # which need not be there twice
    return rows, np.repeat(names, [len(array) for array in arrays])


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if wrong := irregular(path):
            raise ValueError(f"{path} {wrong}. Save what comes from it to a file first.")
        return [path]
    images = image_files.images_in(path)
    if not images:
        raise ValueError(
            f"{path}: expected a folder with images ({', '.join(image_files.SUFFIXES)}), found none in it."
        )
    return images


def _read(path: Path, form: Form, columns: Columns) -> np.ndarray:
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        return _array(path)
    if suffix in tables.SUFFIXES:
        return _table(path, form, columns)
    space = form.space
    if not image.drawable(space):
        raise ValueError(f"{path}: {form.what} of shape {space.shape} are read from {FLAT}, got another file.")
    return image_files.read_image(path, space.shape, space.depth, KNOWN)


def _conform(path: Path, array: np.ndarray, form: Form) -> np.ndarray:
    space = form.space
    if space.fits(array.shape):
        array = array[None]
    if not space.fits(array.shape[1:]):
        raise ValueError(f"{path}: {form.what} must have shape {space.shape}, got an array of shape {array.shape}.")
    if not len(array):
        raise ValueError(f"{path}: expected at least one row of {form.what}, got an array of shape {array.shape}.")
    if not np.issubdtype(array.dtype, np.integer if space.values else np.floating):
        raise ValueError(f"{path}: {form.what} must be {space.dtype}, got {array.dtype}. Save them in native units.")
    if space.values and (array.min() < 0 or array.max() >= space.values):
        found = f"{array.min()} to {array.max()}"
        raise ValueError(f"{path}: {form.what} must be integers 0 to {space.values - 1}, got {found}.")
    with np.errstate(over="ignore"):
        array = np.array(array, space.dtype)
    bad = bad_rows(array)
    if len(bad):
        raise ValueError(
            f"{path}: {form.what} must be finite {space.dtype}, got NaN, infinity or nothing in {len(bad)} of "
            f"{len(array)} rows, first in row {bad[0]} (counted from 0). Remove or repair these rows."
        )
    return array


def bad_rows(array: np.ndarray) -> np.ndarray:
    """The indices of the rows with NaN or infinity."""
    return np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))


def _array(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: read once, into the dtype of the form
    except OSError:
        raise
    except Exception as error:  # NumPy parses the header as Python, so that a broken one raises nearly anything
        raise ValueError(f"{path}: expected an array written by numpy.save, got: {str(error).rstrip('.')}.") from error
    if not isinstance(array, np.ndarray):
        names = listed(array.files)
        array.close()
        raise ValueError(
            f"{path}: expected an array written by numpy.save, got an .npz archive of {names}. Save the array alone."
        )
    return array


def _table(path: Path, form: Form, columns: Columns) -> np.ndarray:
    rows = tables.read_table(path, columns)
    width, space = _width(form), form.space
    if rows.shape[1] != width:
        raise ValueError(
            f"{path}: {form.what} of shape {space.shape} take {width} columns, got {rows.shape[1]}. "
            "Choose them by --columns=NAME,NAME,..."
        )
    if space.values:
        broken = np.flatnonzero((rows != np.round(rows)).any(axis=1))  # NaN is among them
        if len(broken):
            raise ValueError(
                f"{path}: {form.what} must be integers 0 to {space.values - 1}, got something else in {len(broken)} of "
                f"{len(rows)} rows, first in row {broken[0]} (counted from 0)."
            )
        rows = np.clip(rows, -(2.0**53), 2.0**53).astype(np.int64)  # what is larger is refused for its range
    return rows.reshape(len(rows), *space.shape)


def _width(form: Form) -> int:
    """How many cells of a table make an example; 0 if that varies."""
    return 0 if None in form.space.shape else math.prod(form.space.shape)
