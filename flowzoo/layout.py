"""What a weight file holds: the path and shape of each variable; read without TensorFlow."""

import hashlib
import math
import os
from collections.abc import Iterable
from pathlib import Path

import h5py

from flowzoo.errors import CheckpointError

Layout = dict[str, tuple[int, ...]]

_SHOWN = 8  # differences named in an error
_BYTES, _SPARE = 32, 2**26  # the most per number (weights, three slots, all in float64), and beside the numbers


def file_layout(path: str | Path) -> Layout:
    """The path and shape of each variable in a `.weights.h5` file; optimizer slots are left out.

    Raises:
        CheckpointError: the file is missing, no HDF5 file, or damaged, or its numbers lie in another file.
    """
    layout = {}

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer/"):
            if item.external or item.is_virtual:
                raise ValueError(f"the numbers of {name} lie in another file")
            layout[name] = tuple(int(n) for n in item.shape)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(note)
    except Exception as error:  # a damaged file makes h5py raise nearly anything
        raise CheckpointError(f"{path}: expected a Keras .weights.h5 file, it does not open: {error}.") from error
    return layout


def require_readable(path: str | os.PathLike, expected: Layout) -> None:
    """Refuses a file that no sha256 vouches for, before anything is loaded, unless it is whole and as expected.

    Args:
        path: a `.weights.h5` file.
        expected: of the flow that it is for.

    Raises:
        CheckpointError: it is larger than such a flow's can be, damaged, or of another layout.
    """
    require_size(path, expected)
    require_same_layout(file_layout(path), expected, str(path))
    _read_all(path, expected)


def require_size(path: str | os.PathLike, expected: Layout) -> None:
    """Refuses a file that is larger than one of this layout can be, which h5py might take long to read."""
    limit = _SPARE + _BYTES * sum(map(math.prod, expected.values()))
    size = os.path.getsize(path) if os.path.exists(path) else 0
    if size > limit:
        raise CheckpointError(f"{path}: expected at most {limit} bytes for this flow, got {size}. Is it another's?")


def _read_all(path: str | os.PathLike, names: Iterable[str]) -> None:
    try:
        with h5py.File(path, "r") as file:
            for name in names:
                file[name][()]
    except Exception as error:
        raise CheckpointError(f"{path}: its numbers can't be read: {error}.") from error


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
