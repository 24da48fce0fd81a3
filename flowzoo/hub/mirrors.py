"""The hubs that presets may come from, tried in order."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flowzoo.core.bars import bar
from flowzoo.core.errors import HubError, PresetError
from flowzoo.core.files import damage
from flowzoo.hub import index, transport
from flowzoo.hub.streams import Unreachable

NO_HUB = "No hub is set: name one by flowzoo.set_hub(...) or $FLOWZOO_HUB."
STAMPED = Path(__file__).parent / "hubs.txt"  # the default hubs of a build: only tools/release.py writes it

_chosen: tuple[str, ...] | None = None
_failed: set[str] = set()  # hubs that could not be reached in this process: asking again would take as long


def set_hub(*urls: str) -> None:
    """Sets the hubs from which presets that are not on this machine come; without arguments, none.

    Args:
        urls: the roots of hubs with the same files, tried in order: `https://`, `http://`, `file:///`, or what fsspec
            reads, such as `gs://`, `s3://` and `hf://` (`pip install flowzoo[hub]` and the filesystem's own package).
            Until this is called they are those in $FLOWZOO_HUB, separated by spaces, and where that is not set those
            that the release names, if any.

    Raises:
        ValueError: one is not a URL.
    """
    global _chosen
    _chosen = tuple(map(_checked, urls))


def hubs() -> tuple[str, ...]:
    """The roots of the hubs, in order."""
    if _chosen is not None:
        return _chosen
    named = os.environ.get("FLOWZOO_HUB")
    return tuple(map(_checked, named.split())) if named is not None else stamped()


def stamped() -> tuple[str, ...]:
    """The roots of the hubs that this build of flowzoo names; a clone names none."""
    return tuple(map(_checked, STAMPED.read_text().split())) if STAMPED.is_file() else ()


def shown(text: str) -> str:
    """A text without the passwords of the URLs in it, for messages and logs; the URLs may lack a scheme."""
    return re.sub(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S*|\S+:\S*@\S*", lambda url: _masked(url[0]), text)


def _masked(url: str) -> str:
    """A URL, or what was taken for one, without its password, which may contain anything: all up to the last @."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    before, at, after = rest.rpartition("@")
    user, colon, _ = before.partition(":")
    if colon:
        return f"{scheme}{mark}{user}:****@{after}"
    return f"{scheme}{mark}****@{after}" if at and "/" not in before else url  # a user's name may be a token


def download(expected: Mapping[str, Any], part: Path) -> None:
    """Completes the file `part` from the first hub that has it.

    Args:
        expected: "bytes" and "sha256" of the file.
        part: a part left by an earlier download is resumed; one that turns out to be wrong is removed.

    Raises:
        HubError: no hub has it; the message has each one's reason.
        OSError: `part` can't be written.
    """
    reasons = []
    for hub in _reachable_first():
        try:
            with _noted(hub):
                return _download(f"{hub}/{index.address(expected['sha256'])}", expected, part)
        except HubError as error:
            reasons.append(shown(str(error)))
    raise HubError(" ".join(reasons) or NO_HUB)


def find(name: str, revision: int) -> tuple[dict[str, Any] | None, set[int], list[str]]:
    """The record of a revision of a preset in the first hub that has it.

    Returns:
        The record, or None; the revisions that the hubs asked have; why hubs did not answer.
    """
    known, reasons = set(), []
    for found in _indices(reasons):
        revisions = found.get(name, {})
        known |= set(map(int, revisions))
        if str(revision) in revisions:
            return revisions[str(revision)], known, reasons
    return None, known, reasons


def _download(url: str, expected: Mapping[str, Any], part: Path) -> None:
    for resumed in (part.exists(), False):
        with bar(expected["bytes"], unit="B", scale=True) as shown:
            transport.download(url, part, expected["bytes"], lambda at: shown.update(at - shown.n))
        wrong = damage(part, expected)
        if not wrong:
            return
        part.unlink()
        if not resumed:  # a resumed part may have been of another file
            raise HubError(f"{url} {wrong}. The hub is wrong, or something between it and here.")


def _indices(reasons: list[str]) -> Iterator[index.Revisions]:
    for hub in _reachable_first():
        url = f"{hub}/{index.INDEX}"
        try:
            with _noted(hub):
                found = index.parse(transport.read(url, index.LIMIT), url)
        except (HubError, PresetError) as error:
            reasons.append(shown(str(error)))
        else:
            yield found


def _reachable_first() -> list[str]:
    """The hubs in order, but those that failed in this process last."""
    return sorted(hubs(), key=lambda hub: hub in _failed)


@contextlib.contextmanager
def _noted(hub: str) -> Iterator[None]:
    """Remembers whether this hub can be reached."""
    try:
        yield
    except Unreachable:
        _failed.add(hub)
        raise
    _failed.discard(hub)


def _checked(url: str) -> str:
    parts = re.fullmatch(r"([a-zA-Z][a-zA-Z0-9+.-]*)(://[^\s\x00-\x1f\[\]]*)", url) if isinstance(url, str) else None
    if not parts:
        raise ValueError(
            f"a hub must be a URL, such as https://example.org/zoo or file:///srv/zoo, got {_masked(repr(url))}."
        )
    url = parts[1].lower() + parts[2]  # as RFC 3986 has it
    if url.startswith("file://") and not url.startswith("file:///"):
        raise ValueError(f"a file:// hub must be an absolute path, such as file:///srv/zoo, got {_masked(url)!r}.")
    authority, *path = re.split("[/?#]", parts[2][3:], maxsplit=1)
    # what precedes that @ may be a password, and a library would reveal its part after the slash
    if "@" in "".join(path) and ":" in authority:
        raise ValueError(
            "a hub's URL must have %2F for /, %3F for ? and %23 for # in a password, which would end there, and %40 "
            f"for @ in a path; got {_masked(url)!r}."
        )
    if re.search("[?#]", parts[2]):
        raise ValueError(
            "a hub's URL must have no ? and no #, since the addresses of files are appended to it, got "
            f"{_masked(re.split('[?#]', url)[0] + '...')!r}. Give a token as a user's name, https://TOKEN@host/."
        )
    return url.rstrip("/")
