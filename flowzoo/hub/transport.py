"""Bytes from a URL: resumed, retried with growing pauses, and never more than expected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from flowzoo.core.errors import HubError
from flowzoo.core.retries import repeated
from flowzoo.hub.streams import Broken, Read, Result, Unreachable, opened

ATTEMPTS = 5
PAUSE, LONGEST = 0.5, 60  # seconds, as `repeated` takes them
SLOWEST, WINDOW = 1024, 30.0  # bytes per second, on average over this many seconds


def read(url: str, limit: int) -> bytes:
    """All that is at `url`, at most `limit` bytes.

    Raises:
        HubError: nothing is there, or it does not arrive whole; `Unreachable` if nothing arrives at all.
    """
    return _again(url, lambda: _whole(url, limit))


def download(url: str, part: Path, size: int, note: Callable[[int], object]) -> None:
    """Completes the file `part` to `size` bytes, starting after those that it has.

    Args:
        url, part, size: from where, to where, and how much.
        note: called repeatedly with the number of bytes received so far.

    Raises:
        HubError: nothing is there, or another number of bytes; `Unreachable` if nothing arrives.
        OSError: `part` can't be written.
    """
    _again(url, lambda: _complete(url, part, size, note))


def _again(url: str, action: Callable[[], Result]) -> Result:
    try:
        return repeated(action, Broken, retries=ATTEMPTS - 1, pause=PAUSE, longest=LONGEST)
    except Broken as error:
        raise Unreachable(f"{url}: {error}; gave up after {ATTEMPTS} attempts.") from error


def _whole(url: str, limit: int) -> bytes:
    content = b""
    with opened(url, 0) as (_, next_piece):
        for piece in _pieces(next_piece):
            content += piece
            if len(content) > limit:
                raise HubError(f"{url}: expected at most {limit} bytes, got more.")
    return content


def _complete(url: str, part: Path, size: int, note: Callable[[int], object]) -> None:
    there = part.stat().st_size if part.exists() else 0
    if there == size:
        return
    with opened(url, there if there < size else 0) as (at, next_piece), open(part, "ab") as file:
        file.truncate(at)
        for piece in _pieces(next_piece):
            at += len(piece)
            if at > size:
                raise HubError(f"{url}: expected {size} bytes, got more.")
            file.write(piece)
            note(at)
    if at < size:
        raise Broken(f"it ended after {at} of {size} bytes")


def _pieces(next_piece: Read) -> Iterator[bytes]:
    since, count = time.monotonic(), 0
    while piece := next_piece():
        yield piece
        count, elapsed = count + len(piece), time.monotonic() - since
        if elapsed > WINDOW:
            if count < SLOWEST * elapsed:
                raise Broken(f"slower than {SLOWEST} bytes per second")
            since, count = time.monotonic(), 0
