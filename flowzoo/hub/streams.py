"""A URL as a stream of bytes from any offset, over https, http, file or fsspec.

It uses requests rather than pooch, which (1.9) does not resume, lock or fsync and sets no limit to what it reads.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from flowzoo.core.errors import HubError
from flowzoo.core.files import irregular

TIMEOUT = 20.0  # seconds to connect, and between two bytes
ANSWER = 60.0  # seconds for everything before the body, redirects included, and for each piece of the body
PIECE = 2**16  # bytes
REDIRECTS = 5
LATER = {408, 425, 429, 500, 502, 503, 504}  # statuses that may be gone at the next attempt

Read = Callable[[], bytes]  # the next piece, b"" at the end
Result = TypeVar("Result")


class Broken(Exception):
    """A failure that may be gone at the next attempt; `response` may say when to make it."""

    def __init__(self, why: str, response: Any = None):
        super().__init__(why)
        self.response = response


class Unreachable(HubError):
    """A hub that does not answer at all."""


def offline() -> bool:
    """Whether $FLOWZOO_OFFLINE forbids the network."""
    return os.environ.get("FLOWZOO_OFFLINE", "0") not in ("", "0")


@contextlib.contextmanager
def opened(url: str, start: int) -> Iterator[tuple[int, Read]]:
    """Where the stream of bytes of `url` begins, `start` or before, and how to read on.

    Raises:
        HubError: nothing is there, or not what was asked for.
        Broken: the next attempt may succeed; reading on raises it, too.
    """
    scheme = urlsplit(url).scheme
    if scheme != "file" and offline():
        raise HubError(f"{url}: FLOWZOO_OFFLINE={os.environ['FLOWZOO_OFFLINE']} forbids the network. Unset it.")
    how = {"file": _file, "http": _http, "https": _http}.get(scheme, _other)
    with how(url, start) as stream:
        yield stream


@contextlib.contextmanager
def _file(url: str, start: int) -> Iterator[tuple[int, Read]]:
    from urllib.request import url2pathname

    try:
        path = url2pathname(urlsplit(url).path)
        if wrong := irregular(path):
            raise HubError(f"{url}: it {wrong}.")
        file = open(path, "rb")  # noqa: SIM115 - the block below closes it
    except (OSError, ValueError) as error:
        raise HubError(f"{url}: {error}.") from error
    with file:
        file.seek(start)
        yield start, _guarded(lambda: file.read(PIECE), OSError)


@contextlib.contextmanager
def _other(url: str, start: int) -> Iterator[tuple[int, Read]]:
    try:
        import fsspec
    except ImportError as error:
        raise HubError(f"{url}: needs fsspec. Run `pip install flowzoo[hub]`.") from error
    try:
        file = fsspec.open(url, "rb").open()
        file.seek(start)
    except Exception as error:  # each filesystem raises its own errors
        kind = HubError if isinstance(error, FileNotFoundError | ImportError | ValueError) else Broken
        raise kind(f"{url}: {error or type(error).__name__}.") from error
    with file:
        yield start, _guarded(lambda: file.read(PIECE), Exception)


@contextlib.contextmanager
def _http(url: str, start: int) -> Iterator[tuple[int, Read]]:
    import requests
    import urllib3

    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.Session() as session:
        session.get_redirect_target = lambda response: None  # else requests reads the whole body of a redirect
        response = _within(lambda: _get(session, url, headers))
        if response.status_code == 416:  # nothing after `start`: what we have is not part of this file
            response = _within(lambda: _get(session, url, {**headers, "Range": "bytes=0-"}))
        if response.status_code in LATER:
            raise Broken(f"status {response.status_code}", response.raw)
        if response.status_code not in (200, 206):
            raise HubError(f"{url}: status {response.status_code} {response.reason}.")
        at = 0
        if response.status_code == 206:
            span = re.match(r"bytes (\d{1,15})-", response.headers.get("Content-Range", ""))
            at = int(span[1]) if span else start + 1
            if at > start:
                raise HubError(f"{url}: asked for bytes from {start}, got {response.headers.get('Content-Range')}.")
        length, got = response.headers.get("Content-Length", ""), 0

        def next_piece() -> bytes:
            nonlocal got
            piece = _within(lambda: response.raw.read1(PIECE, decode_content=False))  # what has arrived
            got += len(piece)
            if not piece and length.isdecimal() and got < int(length):
                raise Broken(f"it ended after {got} of {length} bytes")
            return piece

        yield at, _guarded(next_piece, (OSError, urllib3.exceptions.HTTPError))


def _get(session, url: str, headers: dict[str, str]):
    """GET, following redirects without reading their bodies, and never from https to something else."""
    import requests

    for _ in range(REDIRECTS + 1):
        try:
            response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False)
        except requests.exceptions.SSLError as error:
            raise HubError(f"{url}: {error}.") from error
        except (requests.ConnectionError, requests.Timeout) as error:
            if isinstance(error, requests.ConnectTimeout) or _nobody(error):
                raise Unreachable(f"{url}: {error}.") from error
            raise Broken(str(error)) from error
        except (requests.RequestException, ValueError) as error:  # such as a malformed address
            raise HubError(f"{url}: {error}.") from error
        if not response.is_redirect:
            return response
        response.close()
        target = response.headers["location"]
        try:
            target = urljoin(url, target)
            safe = urlsplit(target).scheme in ({"https"} if url.startswith("https:") else {"http", "https"})
        except ValueError:
            safe = False
        if not safe:
            raise HubError(f"{url}: redirected to {target!r}, which is not as safe.")
        url = target
    raise HubError(f"{url}: redirected more than {REDIRECTS} times.")


def _nobody(error: BaseException | None) -> bool:
    """Whether nothing listens at an address, or its host does not exist; another attempt would fail alike."""
    while error is not None:
        if isinstance(error, ConnectionRefusedError) or (
            isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def _within(action: Callable[[], Result]) -> Result:
    """What `action` gives, or `Broken` if that takes longer than `ANSWER`.

    A socket's own time-out begins anew with each byte of a header. An abandoned action keeps running in its thread,
    which does not keep the process from ending.
    """
    done = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put((action(), None))
        except BaseException as error:
            done.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        result, error = done.get(timeout=ANSWER)
    except queue.Empty:
        raise Broken(f"no answer within {ANSWER:g} s") from None
    if error is not None:
        raise error
    return result


def _guarded(action: Read, errors: type[Exception] | tuple[type[Exception], ...]) -> Read:
    def guarded() -> bytes:
        try:
            return action()
        except errors as error:
            if isinstance(error, Broken | HubError):
                raise
            raise Broken(str(error) or type(error).__name__) from error

    return guarded
