"""Examples or latents from arrays, tables, images, audio and folders of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowzoo.cli import tables
from flowzoo.cli.common import note
from flowzoo.core.columns import Columns, listed
from flowzoo.core.files import irregular
from flowzoo.core.space import Space, of_size
from flowzoo.data import computed_conditions
from flowzoo.modalities.registry import files_in, modality_of

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow

FLAT = "a .npy, .csv or .parquet file"


@dataclasses.dataclass(frozen=True)
class Form:
    """What an array must be.

    Attributes:
        space: of one example; in what type integers are stored does not matter.
        what: what they are called in messages.
        names: of the columns that the flow was fitted on; () if it knows none.
        usual: what its columns are called by number, as in x0, x1, ...: those of flowzoo's own tables.
        source: of the examples from which conditions are computed; None for what is in the files itself.
        option: of the command line that chooses columns, for messages.
    """

    space: Space
    what: str = "examples"
    names: tuple[str, ...] = ()
    usual: str = "x"
    source: Space | None = None
    option: str = "--columns"

    @property
    def held(self) -> Space:
        """The space of images or audio in files."""
        return self.source or self.space


def data(flow: Flow) -> Form:
    """The form of what `flow` encodes."""
    return Form(flow.x_space, names=tuple(flow.columns or ()))  # of the frames that it was fitted on


def latents(flow: Flow) -> Form:
    """The form of what `flow` decodes."""
    return Form(flow.z_space, what="latents", usual="z")


def condition(name: str, flow: Flow) -> Form:
    """The form of one condition of `flow`; what is computed from examples is also read from files of these."""
    space, option = flow.condition.spaces[name], f"--condition-columns{f'={name}' if flow.condition.named else ''}"
    source = flow.x_space if computed_conditions.computed(space) else None
    return Form(space, what=f"values of {name}", usual="c", source=source, option=option)


def read(paths: Sequence[str], form: Form, columns: Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Everything in some files, as one array.

    Args:
        paths: `.npy` files of (n, *shape) or of one example; `.csv` and `.parquet` tables of an example in each row,
            flattened; images (`modalities.image_files`); WAV and FLAC, which are cut into clips side by side; folders,
            whose images or audio are taken in the order of their paths, without hidden files.
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
    taken = Columns(columns, form.names, [f"{form.usual}{i}" for i in range(_width(form))], form.option)
    found = [_group(paths, form, taken) for paths in groups]
    for text in filter(None, (taken.assumed, taken.doubted)):
        note(text)
    return found


def _group(paths: Sequence[str], form: Form, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    if "" in paths:  # `Path` takes it for the current folder
        raise ValueError("a file must have a name, got ''. Is a variable of the shell empty?")
    files = [file for path in paths for file in _files(Path(path), form)]
    arrays = [_conform(file, _read(file, form, columns), form) for file in files]
    texts = (str(file).encode(errors="backslashreplace").decode() for file in files)  # names need not be Unicode
    names = np.array(list(texts), object)  # each text once, however many rows
    rows = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]  # a single one needs no copy
    return rows, np.repeat(names, [len(array) for array in arrays])


def _files(path: Path, form: Form) -> list[Path]:
    if not path.is_dir():
        if wrong := irregular(path):
            raise ValueError(f"{path} {wrong}. Save what comes from it to a file first.")
        return [path]
    kind = modality_of(form.held)
    if not kind.reads:
        raise ValueError(f"{path}: {form.what} of shape {form.space.shape} are read from {FLAT}, got a folder.")
    found = files_in(path, kind.reads)
    if not found:
        raise ValueError(f"{path}: expected a folder with {kind.what} ({', '.join(kind.reads)}), found none in it.")
    return found


def _read(path: Path, form: Form, columns: Columns) -> np.ndarray:
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        return _array(path)
    if suffix in tables.SUFFIXES:
        return _table(path, form, columns)
    kind = modality_of(form.held)
    if not kind.held(form.held):
        shape = form.space.shape
        raise ValueError(f"{path}: {form.what} of shape {shape} are read from {FLAT}, got another file.")
    if kind.sources and suffix not in kind.reads:  # the content of other kinds shows what they are
        known = f"{FLAT}, {kind.sources}"
        raise ValueError(f"{path}: {form.what} of shape {form.space.shape} are read from {known}, got another file.")
    found, remark = kind.read(path, form.held)
    if remark:
        note(remark)
    return computed_conditions.made(found, form.space, form.source).numpy() if form.source else found


def _conform(path: Path, array: np.ndarray, form: Form) -> np.ndarray:
    space = form.space
    if space.fits(array.shape):
        array = array[None]
    if not space.fits(array.shape[1:]):
        raise ValueError(f"{path}: {form.what} must have shape {space.shape}, got an array of shape {array.shape}.")
    if not len(array):
        raise ValueError(f"{path}: expected at least one row of {form.what}, got an array of shape {array.shape}.")
    if not np.issubdtype(array.dtype, np.integer if space.values else np.floating):
        raise ValueError(
            f"{path}: {form.what} must be {space.dtype}, got {array.dtype}. Save them as {space.dtype}, in the "
            "units that the flow was trained in."
        )
    if space.values and (array.min() < space.lowest or array.max() > space.highest):
        found = f"{array.min()} to {array.max()}"
        raise ValueError(f"{path}: {form.what} must be integers {space.lowest} to {space.highest}, got {found}.")
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
    space = form.space
    shape = of_size(space.shape, rows.shape[1])
    if shape is None:
        width = _width(form) or f"a multiple of {math.prod(length or 1 for length in space.shape)}"
        raise ValueError(
            f"{path}: {form.what} of shape {space.shape} take {width} columns, got {rows.shape[1]}. "
            f"Choose them by {form.option}=NAME,NAME,..."
        )
    if space.values:
        broken = np.flatnonzero((rows != np.round(rows)).any(axis=1))  # includes NaN
        if len(broken):
            raise ValueError(
                f"{path}: {form.what} must be integers {space.lowest} to {space.highest}, got something else in "
                f"{len(broken)} of {len(rows)} rows, first in row {broken[0]} (counted from 0)."
            )
        rows = np.clip(rows, -(2.0**53), 2.0**53).astype(np.int64)  # larger values are refused as out of range
    return rows.reshape(len(rows), *shape)


def _width(form: Form) -> int:
    """How many cells of a table make an example; 0 if that varies."""
    return 0 if None in form.space.shape else math.prod(form.space.shape)
