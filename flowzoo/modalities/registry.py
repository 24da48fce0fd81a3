"""The kinds of data by the name that a `Space` has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flowzoo.core.space import Space
from flowzoo.modalities.audio import MEL, Audio, Spectrograms
from flowzoo.modalities.image import Images
from flowzoo.modalities.modality import Modality

MODALITIES = {"image": Images(), "audio": Audio(), MEL: Spectrograms()}
VECTORS = Modality()  # also for any kind without files of its own
SUFFIXES = tuple(suffix for kind in MODALITIES.values() for suffix in kind.reads)


def modality_of(space: Space) -> Modality:
    """The kind of data that a space holds."""
    return MODALITIES.get(space.modality, VECTORS)


def files_in(folder: str | Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """The files of a folder and its subfolders with these suffixes, in order, without hidden ones (`._x.png`)."""
    folder = Path(folder)
    found = (file for file in folder.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts))
