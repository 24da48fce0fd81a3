"""Files written all or nothing, and their sha256."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

try:
    import fcntl
except ImportError:  # no such locks on this system
    fcntl = None

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure


LEFT = re.compile(r"\..{1,40}\.[a-z0-9_]{8}\.(tmp|weights\.h5)")  # temporary files of `atomic`, and of earlier versions


@contextlib.contextmanager
def atomic(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` whole when the block ends, or not at all.

    Temporary file in the same folder, fsync, rename, fsync of the folder. `remove_leftovers` removes what a killed
    process leaves behind.

    Args:
        path: where the file goes; its folder is created if need be.
    """
    path = Path(path)
    _require_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = _new(path)
    try:
        with open(temporary, "r+b") as file:
            yield file
        move_into_place(temporary, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno and not error.filename:  # as when the disk is full
            error.filename = os.fspath(path)
        raise
    finally:
        if handle is not None:
            os.close(handle)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """The path of a file that replaces the one at `path` when the block ends, or not at all.

    For writers that open the file themselves and rely on its name: it has the same name, in a temporary folder.
    """
    path = Path(path)
    _require_replaceable(path)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name[:40]}.") as folder:
            yield Path(folder, path.name)
            move_into_place(Path(folder, path.name), path)
    except OSError as error:  # which names a file that nobody knows
        error.filename = os.fspath(path)
        raise


def remove_leftovers(folder: str | os.PathLike) -> None:
    """Removes temporary files that killed processes left in a folder or below it; never those of a live process."""
    if fcntl is None:
        return
    for where, _, names in os.walk(folder):
        for path in (os.path.join(where, name) for name in names if LEFT.fullmatch(name)):
            if irregular(path):
                continue
            with contextlib.suppress(OSError), open(path, "r+b") as file:  # gone, or locked: its process is alive
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)


def _require_replaceable(path: Path) -> None:
    """Refuses what a file can't or should not replace, such as a device."""
    if wrong := irregular(path):
        raise FileExistsError(errno.EEXIST, f"Name another file, as what is there {wrong}", os.fspath(path))


def _new(path: Path) -> tuple[int | None, str]:
    """The handle that locks a temporary file until closed, or the process ends (None without locks), and its path."""
    while True:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
        if fcntl is None:  # Windows, where an open file can't be renamed
            os.close(handle)
            return None, temporary
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(temporary):  # else it was taken for a leftover before it was locked
            return handle, temporary
        os.close(handle)


def move_into_place(temporary: str | os.PathLike, path: str | os.PathLike) -> None:
    """Makes a finished temporary file of the same folder the file at `path`: fsync, rename, fsync of the folder."""
    with open(temporary, "r+b") as file:
        os.fsync(file.fileno())
    os.chmod(temporary, 0o644)  # mkstemp makes private files
    os.replace(temporary, path)
    _sync_folder(Path(path).parent)


def unwritable(path: str | os.PathLike) -> str:
    """Why nothing can be written to a folder, existing or yet to be created; "" if it can."""
    path = Path(path).absolute()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    fine = there.is_dir() and os.access(there, os.W_OK)
    return "" if fine else f"can't be written: {there} is not a folder that you may write to"


def irregular(path: str | os.PathLike) -> str:
    """Why what is at a path, such as a named pipe, can't be read or replaced as a file; "" if it can, or is missing.

    Links are followed.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:  # opening it will say why
        return ""
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}
    return "" if stat.S_ISREG(mode) else f"is not a regular file, but a {kinds.get(stat.S_IFMT(mode), 'device')}"


def write_atomic(path: str | os.PathLike, content: bytes | str) -> None:
    """Writes bytes, or text as UTF-8, all or nothing."""
    with atomic(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def read_json(path: str | os.PathLike, *keys: str) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: the file.
        keys: the keys that it must have.

    Raises:
        ValueError: it is truncated, empty or not such an object; the message has the path.
        OSError: it can't be read.
    """
    expected = "a JSON object" + (f" with the keys {', '.join(keys)}" if keys else "")
    if wrong := irregular(path):
        raise ValueError(f"{path}: expected {expected}, it {wrong}.")
    content = Path(path).read_bytes()
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        found = f"a truncated or damaged one ({error})" if content.strip() else "an empty file"
        raise ValueError(f"{path}: expected {expected}, got {found}.") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected {expected}, got a {type(value).__name__}.")
    if missing := [key for key in keys if key not in value]:
        raise ValueError(f"{path}: expected {expected}, got one without {', '.join(missing)}.")
    return value


def write_array(path: str | os.PathLike, array: np.ndarray) -> None:
    """Writes an array as `.npy`, all or nothing."""
    import numpy as np

    with atomic(path) as file:
        np.save(file, array)


def write_figure(path: str | os.PathLike, figure: Figure, dpi: int) -> None:
    """Writes a Matplotlib figure as PNG, all or nothing."""
    with atomic(path) as file:
        figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None})  # without Matplotlib's version


def png_path(path: str | os.PathLike) -> Path:
    """The path of a figure; raises ValueError unless it ends in .png."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"`path` must end in .png, got {str(path)!r}.")
    return path


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
    if wrong := irregular(path):
        return wrong
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
