"""The hubs that presets may come from, tried in order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flowzoo.errors import HubError, PresetError
from flowzoo.files import damage
from flowzoo.zoo import index, transport

NO_HUB = "No hub is set: name one by flowzoo.set_hub(...) or $FLOWZOO_HUB."

_chosen: tuple[str, ...] | None = None


def set_hub(*urls: str) -> None:
    """Says where presets that are not on this machine come from; without arguments, from nowhere.

    Args:
        urls: the roots of hubs with the same files, tried in order: `https://`, `http://`, `file:///`, or what fsspec
            reads, such as `gs://`, `s3://` and `hf://` (`pip install flowzoo[hub]` and the filesystem's own package).
            Until this is called they are those in $FLOWZOO_HUB, separated by spaces.

    Raises:
        ValueError: one is no URL.
    """
    global _chosen
    _chosen = tuple(map(_checked, urls))


def hubs() -> tuple[str, ...]:
    """The roots of the hubs, in order."""
    if _chosen is not None:
        return _chosen
    return tuple(map(_checked, os.environ.get("FLOWZOO_HUB", "").split()))


def download(expected: Mapping[str, Any], part: Path) -> None:
    """Completes the file `part` from the first hub that has it.

    Args:
        expected: "bytes" and "sha256" of the file.
        part: what an earlier download left is gone on from; what turns out to be wrong is removed.

    Raises:
        HubError: no hub has it; the message has each one's reason.
        OSError: `part` can't be written.
    """
    reasons = []
    for hub in hubs():
        try:
            return _download(f"{hub}/{index.address(expected['sha256'])}", expected, part)
        except HubError as error:
            reasons.append(str(error))
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
        transport.download(url, part, expected["bytes"])
        wrong = damage(part, expected)
        if not wrong:
            return
        part.unlink()
        if not resumed:  # else the part that was there may have been another file's
            raise HubError(f"{url} {wrong}. The hub is wrong, or something between it and here.")


def _indices(reasons: list[str]) -> Iterator[index.Revisions]:
    for hub in hubs():
        url = f"{hub}/{index.INDEX}"
        try:
            yield index.parse(transport.read(url, index.LIMIT), url)
        except (HubError, PresetError) as error:
            reasons.append(str(error))


def _checked(url: str) -> str:
    if not isinstance(url, str) or not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s\x00-\x1f\[\]]*", url):
        raise ValueError(f"a hub must be a URL, such as https://example.org/zoo or file:///srv/zoo, got {url!r}.")
    if url.startswith("file://") and not url.startswith("file:///"):
        raise ValueError(f"a file:// hub must be an absolute path, such as file:///srv/zoo, got {url!r}.")
    return url.rstrip("/")
