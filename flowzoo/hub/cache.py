"""Downloaded files on this machine: named by their sha256, written all or nothing, by one process at a time."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flowzoo.core.errors import CheckpointError
from flowzoo.core.files import damage, move_into_place, sha256

PARTIAL = ".part"


def home() -> Path:
    """The folder of the cache: $FLOWZOO_HOME, else where this platform keeps caches."""
    chosen = os.environ.get("FLOWZOO_HOME")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs  # here: `import flowzoo` costs nothing

    return Path(platformdirs.user_cache_dir("flowzoo", appauthor=False))


def place(digest: str, file: str) -> Path:
    """Where a file with this sha256 is kept. It keeps its name, since Keras goes by the suffix."""
    return home() / "sha256" / digest[:2] / digest / file


def revision_place(name: str, revision: int, digest: str) -> Path:
    """Where the JSON of a revision of a preset is kept."""
    return home() / "presets" / f"{name}@{revision}.{digest}.json"


def revisions(name: str) -> tuple[dict[int, Path], dict[int, str]]:
    """The revisions of a preset whose JSON is here: the paths of whole ones, and what is wrong with others."""
    form, whole, damaged = re.compile(re.escape(name) + r"@([1-9][0-9]{0,8})\.([0-9a-f]{64})\.json"), {}, {}
    for path in sorted((home() / "presets").glob("*.json")):
        if match := form.fullmatch(path.name):
            number, problem = int(match[1]), wrong(path, match[2])
            if problem:
                damaged[number] = f"{path} {problem}."
            else:
                whole.setdefault(number, path)
    return whole, damaged


def keep(path: Path, expected: Mapping[str, Any], download: Callable[[Path], None]) -> Path:
    """Fills a place of the cache, unless another process did so meanwhile.

    Args:
        path: `place` or `revision_place`; a damaged file there is replaced.
        expected: "bytes" and "sha256" of the file.
        download: completes the partial file at the path that it gets, which may hold what an earlier download left.

    Returns:
        `path`, where the whole file is now.

    Raises:
        CheckpointError: the cache can't be written, or is full.
    """
    from filelock import FileLock

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock"), poll_interval=0.05):
            if damage(path, expected):
                _fill(path, expected, download)
    except OSError as error:
        raise CheckpointError(
            f"the cache can't keep {expected['bytes']} bytes at {path}: {error}. "
            "Make room there, or name another folder by $FLOWZOO_HOME."
        ) from error
    return path


def _fill(path: Path, expected: Mapping[str, Any], download: Callable[[Path], None]) -> None:
    part = path.with_name(f"{path.name}{PARTIAL}")
    try:
        download(part)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()  # it may be what fills the disk
        raise
    if wrong := damage(part, expected):
        raise CheckpointError(f"{part} {wrong}, after a complete download. Is the disk faulty?")
    move_into_place(part, path)


def entries() -> dict[Path, str]:
    """Every file that a download left here, whole or partial, sorted, and the sha256 that it should have."""
    found = {}
    for path in sorted((home() / "sha256").glob("??/*/*")):
        found[path] = path.parent.name
    for path in sorted((home() / "presets").glob("*.json*")):
        found[path] = path.name.removesuffix(PARTIAL).removesuffix(".json").rpartition(".")[2]
    return {
        path: digest
        for path, digest in found.items()
        if re.fullmatch(r"[0-9a-f]{64}", digest) and path.suffix != ".lock" and path.is_file()
    }


def partial(path: Path) -> bool:
    """Whether this is the file of a download that was interrupted or is under way."""
    return path.name.endswith(PARTIAL)


def wrong(path: Path, digest: str) -> str:
    """What is wrong with one of `entries`: "partial", "has sha256 ..."; "" if it is whole."""
    if partial(path):
        return "partial"
    try:
        found = sha256(path)
    except OSError as error:
        return f"can't be read ({error})"
    return "" if found == digest else f"has sha256 {found}"


def remove(path: Path) -> bool:
    """Removes one of `entries`; False if a process is using it. Its lock stays: another may be waiting for it.

    Raises:
        CheckpointError: it can't be removed.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(path.with_name(f"{path.name.removesuffix(PARTIAL)}.lock"), timeout=0):
            path.unlink(missing_ok=True)
    except Timeout:
        return False
    except OSError as error:
        raise CheckpointError(f"{path} can't be removed: {error}. Is the cache read-only?") from error
    return True
