"""Bytes from a URL: resumed, retried with growing pauses, and never more than expected."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from flowzoo.errors import HubError
from flowzoo.zoo.sources import Broken, Read, opened

ATTEMPTS = 5
PAUSE = 0.5  # seconds before the second attempt; twice as long before each further one
SLOWEST, WINDOW = 1024, 30.0  # bytes per second, on average over so many seconds

Result = TypeVar("Result")


def read(url: str, limit: int) -> bytes:
    """All that is at `url`, at most `limit` bytes.

    Raises:
        HubError: nothing is there, or it does not arrive whole.
    """
    return _again(url, lambda: _whole(url, limit))


def download(url: str, part: Path, size: int) -> None:
    """Completes the file `part` to `size` bytes, going on after those that it has.

    Raises:
        HubError: nothing is there, or another number of bytes.
        OSError: `part` can't be written.
    """
    _again(url, lambda: _complete(url, part, size))


def _again(url: str, action: Callable[[], Result]) -> Result:
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.0))  # so that many don't come at once
        try:
            return action()
        except Broken as error:
            problem = error
    raise HubError(f"{url}: {problem}; gave up after {ATTEMPTS} attempts.")


def _whole(url: str, limit: int) -> bytes:
    content = b""
    with opened(url, 0) as (_, next_piece):
        for piece in _pieces(next_piece):
            content += piece
            if len(content) > limit:
                raise HubError(f"{url}: expected at most {limit} bytes, got more.")
    return content


def _complete(url: str, part: Path, size: int) -> None:
    from tqdm import tqdm

    there = part.stat().st_size if part.exists() else 0
    if there == size:
        return
    with opened(url, there if there < size else 0) as (at, next_piece), open(part, "ab") as file:
        file.truncate(at)
        with tqdm(total=size, initial=at, unit="B", unit_scale=True, leave=False, disable=None) as bar:  # on terminals
            for piece in _pieces(next_piece):
                at += len(piece)
                if at > size:
                    raise HubError(f"{url}: expected {size} bytes, got more.")
                file.write(piece)
                bar.update(len(piece))
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
