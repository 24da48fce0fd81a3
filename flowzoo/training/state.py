"""The state of a training on disk: one file, written all or nothing, the last two kept.

A state is a `.npz`: every array carries a CRC, so a damaged file is noticed when it is read.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from absl import logging

from flowzoo.core.files import atomic, remove_leftovers

FORMAT = 1
KEEP = 2
Saved = tuple[dict[str, np.ndarray], dict[str, Any]]  # arrays and facts
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, ValueError)


class StateError(RuntimeError):
    """A state that can't be read, or that belongs to another training."""


def save(folder: str | os.PathLike, step: int, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> Path:
    """Writes `folder/state-<step>.npz` and removes all but the last two states.

    Args:
        folder: where the states of one training lie.
        step: optimizer steps done.
        arrays: name -> array.
        facts: whatever else is to be kept; JSON.

    Returns:
        The file.
    """
    path = Path(folder) / f"state-{step:09d}.npz"
    with atomic(path) as file:
        write(file, arrays, {"format": FORMAT, "step": step, **facts})
    for old in _files(folder)[KEEP:]:
        old.unlink(missing_ok=True)
    remove_leftovers(folder)
    return path


def begun(folder: str | os.PathLike) -> bool:
    """Whether there is a state."""
    return bool(_files(folder))


def load(folder: str | os.PathLike) -> Saved | None:
    """Reads the newest state that is whole; a damaged one is reported and the one before it taken.

    Returns:
        (arrays, facts), or None if there is no state yet.

    Raises:
        StateError: there are states, and none can be read; or they were written in a newer format.
    """
    paths = _files(folder)
    for path in paths:
        try:
            arrays, facts = read(path)
        except DAMAGE as error:
            logging.error("%s is damaged (%s); trying the state before it.", path, error)
            continue
        if facts["format"] > FORMAT:
            raise StateError(f"{path} has format {facts['format']}, expected {FORMAT} or less. Update flowzoo.")
        return arrays, facts
    if paths:
        raise StateError(f"None of {[path.name for path in paths]} in {folder} can be read. Remove them to start anew.")
    return None


def write(file: IO[bytes], arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """Writes arrays and facts into an open file."""
    np.savez(file, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)


def read(file: str | os.PathLike | IO[bytes]) -> Saved:
    """Reads what `write` wrote."""
    with np.load(file, allow_pickle=False) as content:
        arrays = {name: content[name] for name in content.files}
    return arrays, json.loads(arrays.pop("facts").tobytes())


def pack(prefix: str, variables: list) -> dict[str, np.ndarray]:
    """Variables as named arrays; the names keep the order."""
    return {f"{prefix}/{i:05d}": np.asarray(v) for i, v in enumerate(variables)}


def unpack(prefix: str, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The arrays that `pack` named, in order."""
    return [arrays[name] for name in sorted(arrays) if name.startswith(f"{prefix}/")]


def not_finite(arrays: dict[str, np.ndarray]) -> list[str]:
    """The names of the arrays that hold NaN or infinity."""
    return [name for name, value in arrays.items() if value.dtype.kind == "f" and not np.isfinite(value).all()]


def assign(what: str, variables: list, values: list[np.ndarray]) -> None:
    """Sets variables to saved values.

    Args:
        what: names the variables in the message.
        variables: Keras variables.
        values: one array for each.

    Raises:
        StateError: number or shapes differ; the message lists the first few that do.
    """
    wrong = [
        f"{v.path}: expected {tuple(v.shape)} {v.dtype}, got {a.shape} {a.dtype}"
        for v, a in zip(variables, values, strict=False)
        if tuple(v.shape) != a.shape or str(v.dtype) != str(a.dtype)
    ]
    if len(variables) != len(values):
        wrong.insert(0, f"expected {len(variables)} variables, got {len(values)}")
    if wrong:
        raise StateError(f"The saved {what} does not fit: {'; '.join(wrong[:5])}. Use another --workdir.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _files(folder: str | os.PathLike) -> list[Path]:
    return sorted(Path(folder).glob("state-*.npz"), reverse=True)
