"""Files written all or nothing, and their sha256."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure


@contextlib.contextmanager
def atomic(path: str | os.PathLike, suffix: str = ".tmp") -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` whole when the block ends, or not at all.

    Temporary file in the same folder, fsync, rename, fsync of the folder.

    Args:
        path: where the file shall be; its folder is made if need be.
        suffix: of the temporary file, for writers that look at it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=suffix)
    try:
        os.close(handle)
        with open(temporary, "r+b") as file:  # reopened, so that `file.name` is its path
            yield file
        move_into_place(temporary, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno and not error.filename:  # such as of a full disk
            error.filename = os.fspath(path)
        raise


def move_into_place(temporary: str | os.PathLike, path: str | os.PathLike) -> None:
    """Makes a finished temporary file of the same folder the file at `path`: fsync, rename, fsync of the folder."""
    with open(temporary, "r+b") as file:
        os.fsync(file.fileno())
    os.chmod(temporary, 0o644)  # mkstemp makes private files
    os.replace(temporary, path)
    _sync_folder(Path(path).parent)


def unwritable(path: str | os.PathLike) -> str:
    """Why nothing can be made in a folder, there or to be made; "" if it can."""
    path = Path(path).absolute()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    fine = there.is_dir() and os.access(there, os.W_OK)
    return "" if fine else f"can't be written: {there} is no folder that you may write to"


def write_atomic(path: str | os.PathLike, content: bytes | str) -> None:
    """Writes bytes, or text as UTF-8, all or nothing."""
    with atomic(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_array(path: str | os.PathLike, array: np.ndarray) -> None:
    """Writes an array as `.npy`, all or nothing."""
    import numpy as np

    with atomic(path) as file:
        np.save(file, array)


def write_figure(path: str | os.PathLike, figure: Figure, dpi: int) -> None:
    """Writes a figure of Matplotlib as PNG, all or nothing."""
    with atomic(path) as file:
        figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None})  # without Matplotlib's version


def sha256(path: str | os.PathLike) -> str:
    """The sha256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damage(path: str | os.PathLike, expected: Mapping[str, Any]) -> str:
    """What is wrong with a file, such as "is missing"; "" if it is whole.

    Args:
        path: the file.
        expected: its "bytes" and "sha256".
    """
    if not os.path.isfile(path):
        return "is missing"
    try:
        size = os.path.getsize(path)
        if size != expected["bytes"]:
            return f"must have {expected['bytes']} bytes, got {size}"
        digest = sha256(path)
    except OSError as error:
        return f"can't be read ({error})"
    return "" if digest == expected["sha256"] else f"must have sha256 {expected['sha256']}, got {digest}"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
