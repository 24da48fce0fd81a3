"""What a weight file holds: the path, shape and numbers of each variable; read and written without TensorFlow."""

import hashlib
import io
import math
import os
from collections.abc import Mapping
from types import MappingProxyType

import h5py
import ml_dtypes
import numpy as np

from flowzoo.core.errors import CheckpointError
from flowzoo.core.files import irregular

Layout = dict[str, tuple[int, ...]]
Numbers = dict[str, np.ndarray]
Kinds = Mapping[str, str]  # the dtype of each variable of the flow; float32 for those not named

_SHOWN = 8  # differences named in an error
_BYTES, _SPARE = 32, 2**26  # the most bytes per number (weight, three slots, in float64), and besides


def require_file(path: str | os.PathLike) -> None:
    """Refuses a path where there is no file to read weights from."""
    if wrong := irregular(path):
        raise CheckpointError(f"{os.fspath(path)} {wrong}. Pass the path of a file of weights.")
    if not os.path.exists(path):
        remote = "://" in str(path)
        fix = "Copy it to this machine first." if remote else f"Is the path right? The working folder is {os.getcwd()}."
        raise CheckpointError(f"{os.fspath(path)}: no such file. {fix}")


def file_layout(path: str | os.PathLike | io.BytesIO) -> Layout:
    """The path and shape of each variable in a `.weights.h5` file, or one in memory; optimizer slots are left out.

    Raises:
        CheckpointError: the file is missing, damaged or not HDF5, or a variable is not numeric, is a link, or has its
            numbers in another file.
    """
    if not isinstance(path, io.BytesIO):
        require_file(path)
    try:
        with h5py.File(path, "r") as file:
            return _layout(file)
    except Exception as error:  # a damaged file makes h5py raise nearly anything
        raise CheckpointError(f"{path}: expected a Keras .weights.h5 file of this flow, got: {error}.") from error


def require_finite(file: h5py.File, kinds: Kinds, source: str) -> None:
    """Refuses an open file in which a variable, or an optimizer slot, holds anything but finite numbers of its type.

    Args:
        file: as `file_layout` takes it.
        kinds: as in `require_readable`.
        source: the name of the file in messages.
    """
    try:
        wrong = {name: _misfit(_numbers(file[name]), kinds.get(name)) for name in _layout(file, slots=True)}
    except Exception as error:
        raise CheckpointError(f"{source}: its numbers can't be read: {error}.") from error
    _refuse(wrong, source)


def _layout(file: h5py.File, slots: bool = False) -> Layout:
    layout = {}

    def note(name: str, link: h5py.HardLink | h5py.SoftLink | h5py.ExternalLink) -> str | None:
        """Notes a variable; what is wrong with it ends the walk."""
        if name.startswith("optimizer/") and not slots:
            return None
        if not isinstance(link, h5py.HardLink):
            return f"{name} is a link to somewhere else"
        item = file[name]
        if not isinstance(item, h5py.Dataset):
            return None
        if item.external or item.is_virtual:
            return f"the numbers of {name} lie in another file"
        known = _is_bfloat16(item) or (item.dtype.kind in "fiu" and item.dtype.itemsize <= 8)  # to TensorFlow
        if item.shape is None or not known:
            return f"{name} must hold real numbers, got {'nothing' if item.shape is None else item.dtype}"
        layout[name] = tuple(int(n) for n in item.shape)
        return None

    if wrong := file.visititems_links(note):
        raise ValueError(wrong)
    return layout


def require_readable(
    path: str | os.PathLike, expected: Layout, kinds: Kinds = MappingProxyType({}), found: Layout | None = None
) -> Numbers:
    """Refuses a file that no sha256 vouches for, before anything is loaded, unless it is whole and as expected.

    Args:
        path: a `.weights.h5` file.
        expected: the layout of the flow that it is for.
        kinds: the types of its variables, which must hold the numbers: integers hold integers only.
        found: its `file_layout`, if that is known.

    Returns:
        The numbers of each variable, by its path.

    Raises:
        CheckpointError: it is larger than such a flow's can be, damaged, or of another layout, or a number in it is not
            finite, or beyond the range of its variable.
    """
    require_size(path, expected)
    require_same_layout(file_layout(path) if found is None else found, expected, str(path))
    numbers = read_numbers(path, expected)
    _refuse({name: _misfit(value, kinds.get(name)) for name, value in numbers.items()}, str(path))
    return numbers


def _misfit(value: np.ndarray, kind: str | None) -> str:
    """What a variable of this type must hold, and what these numbers are instead; "" if it can hold them."""
    kind = np.dtype(kind or "float32")
    if kind.kind not in "iu":
        with np.errstate(over="ignore"):
            return "" if np.isfinite(value.astype(kind)).all() else "finite numbers, got NaN or infinity"
    span = np.iinfo(kind)
    ends = [int(value.min()), int(value.max())] if value.size and value.dtype.kind in "iu" else []
    fits = value.dtype.kind in "iu" and all(span.min <= end <= span.max for end in ends)
    return "" if fits else f"integers within the range of {kind}, got others"


def _refuse(wrong: Mapping[str, str], source: str) -> None:
    """Raises if anything is wrong: the first problem, with the names of all variables that have it."""
    what = next(filter(None, wrong.values()), "")
    if what:
        bad = [name for name, found in wrong.items() if found == what]
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        fix = "Did its training diverge? Load earlier weights." if "NaN" in what else "Use the file as it was saved."
        raise CheckpointError(f"{source}: expected {what} in {', '.join(bad[:_SHOWN])}{more}. {fix}")


def require_size(path: str | os.PathLike, expected: Layout) -> None:
    """Refuses a file that is larger than one of this layout can be, which h5py might take long to read."""
    limit = _SPARE + _BYTES * sum(map(math.prod, expected.values()))
    size = os.path.getsize(path) if os.path.exists(path) else 0
    if size > limit:
        raise CheckpointError(
            f"{path}: expected at most {limit} bytes for this flow, got {size}. Does it belong to another flow?"
        )


def read_numbers(path: str | os.PathLike | io.BytesIO, layout: Layout) -> Numbers:
    """The numbers of each variable of a file whose `file_layout` this is."""
    try:
        with h5py.File(path, "r") as file:
            return {name: _numbers(file[name]) for name in layout}
    except Exception as error:
        raise CheckpointError(f"{path}: its numbers can't be read: {error}.") from error


def packed(numbers: Mapping[str, np.ndarray]) -> bytes:
    """A `.weights.h5` file of these variables: the same bytes each time, without Keras' notes of layers' names.

    It is built in memory, since HDF5 crashes when the disk is full.
    """
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for name, value in sorted(numbers.items()):
            dataset = file.create_dataset(name, data=value)
            if value.dtype == ml_dtypes.bfloat16:  # HDF5 keeps only its bytes
                dataset.attrs["dtype"] = "bfloat16"
    return memory.getvalue()


def _numbers(dataset: h5py.Dataset) -> np.ndarray:
    value = np.asarray(dataset[()])
    return value.view(ml_dtypes.bfloat16) if _is_bfloat16(dataset) else value


def _is_bfloat16(dataset: h5py.Dataset) -> bool:
    """Whether these are bfloat16 numbers, as Keras stores them: HDF5 has no type for them."""
    return dataset.dtype == np.dtype("V2") and dataset.attrs.get("dtype") == "bfloat16"


def fingerprint(layout: Layout) -> str:
    """The sha256 of the sorted paths and shapes of a layout."""
    lines = "".join(f"{path} {list(shape)}\n" for path, shape in sorted(layout.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def require_same_layout(found: Layout, expected: Layout, source: str) -> None:
    """Raise `CheckpointError` with what differs unless the layouts are the same."""
    wrong = [f"missing {name} {expected[name]}" for name in sorted(expected.keys() - found.keys())]
    wrong += [f"extra {name} {found[name]}" for name in sorted(found.keys() - expected.keys())]
    wrong += [
        f"{name}: expected shape {expected[name]}, got {found[name]}"
        for name in sorted(expected.keys() & found.keys())
        if expected[name] != found[name]
    ]
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise CheckpointError(
            f"{source} holds {len(found)} variables and the flow has {len(expected)}; {len(wrong)} differ: "
            f"{'; '.join(wrong[:_SHOWN])}{more}. Build the flow with the config it was saved with."
        )
