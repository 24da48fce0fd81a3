"""Where a preset's files lie, and the check of their size and sha256 before anything reads them.

A file is looked for in the cache, then among those installed or in the checkout, then on the hubs. The files of a
preset given by path lie beside it and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flowzoo.core.errors import CheckpointError, HubError, PresetError
from flowzoo.core.files import damage
from flowzoo.hub import cache, mirrors
from flowzoo.hub.index import REVISION
from flowzoo.record.schema import LIMIT
from flowzoo.record.types import NAME

if TYPE_CHECKING:
    from flowzoo.record.preset import Preset

WEIGHTS = "model.weights.h5"
DEMO = "glow-fashion-mnist"  # has weights in every install
ZOO = Path(__file__).parents[1] / "zoo"
PRESETS = ZOO / "presets"
INSTALLED = ZOO / "checkpoints"
CHECKOUT = Path(__file__).parents[2] / "checkpoints"


def folder(name_or_path: str | Path) -> Path:
    """The folder with the big files of a preset, whether it exists or not.

    Args:
        name_or_path: what `read_preset` takes. Of flowzoo's own presets the files are installed with the package or lie
            in the checkout's `checkpoints/<name>`; those of a preset in `<dir>/<name>.json` lie in `<dir>/<name>`.
    """
    if str(name_or_path).endswith(".json"):
        return Path(name_or_path).with_suffix("")
    editable = CHECKOUT.is_dir() and not INSTALLED.is_dir()
    return (CHECKOUT if editable else INSTALLED) / str(name_or_path).partition("@")[0]


def left_out(where: Path) -> bool:
    """Whether `where` is a `folder` of flowzoo's own weights that a release (tools/release.py) leaves out."""
    return where.parent == INSTALLED and where.name != DEMO and not where.is_dir()


def checked_file(preset: Preset, where: Path, file: str = WEIGHTS) -> Path:
    """The path of one of a preset's files, once its size and sha256 are what the preset says.

    Args:
        preset: the record of sizes and hashes.
        where: `folder` of that preset. If flowzoo's own, the cache comes before it, and the hubs after it.
        file: name of the file.

    Raises:
        CheckpointError: the preset has no weights yet, or the file is missing, cut or altered, or no hub gave it.
    """
    if preset.files is None or file not in preset.files:
        why = " and will have none: it is a recipe only" if preset.recipe_only else ""
        raise CheckpointError(
            f"{preset.name} has no published {file}{why}. Train it with `python tools/train.py --preset={preset.name} "
            "--workdir=DIR`, or load it with weights=False."
        )
    expected, places, problems = preset.files[file], _places(preset, where, file), []
    for path in places:
        wrong = damage(path, expected)
        if not wrong:
            return path
        if path.is_file() or path == places[0 if _other(preset) else -1]:
            problems.append(f"{path} {wrong}.")
    if len(places) > 1 and mirrors.hubs():
        try:
            return cache.keep(places[0], expected, partial(mirrors.download, expected))
        except CheckpointError as error:
            raise type(error)(f"{preset.name}: {' '.join(problems)} {error}") from error
    raise CheckpointError(f"{preset.name}: {' '.join(problems)} {_mend(where, preset)}")


def find(preset: Preset, where: Path, file: str = WEIGHTS) -> Path | None:
    """Where one of a preset's files is whole on this machine, or None; the arguments are those of `checked_file`."""
    return next((path for path in _places(preset, where, file) if not damage(path, preset.files[file])), None)


def _places(preset: Preset, where: Path, file: str) -> list[Path]:
    """Where a file may be, in order: for flowzoo's own presets first in the cache."""
    own = where.parent in (INSTALLED, CHECKOUT)
    return [*([cache.place(preset.files[file]["sha256"], file)] if own else []), where / file]


def split(wanted: str) -> tuple[str, int]:
    """Name and revision of `name@revision`; raises `PresetError` if it is not written so."""
    match = re.fullmatch(f"({NAME})@({REVISION})", wanted, re.ASCII)
    if not match:
        raise PresetError(f"a preset must be `name` or `name@revision`, the revision a number from 1, got {wanted!r}.")
    return match[1], int(match[3])


def revision(name: str, number: int, own: Iterable[int]) -> Path:
    """The path of the JSON of a revision of a preset, from the cache or a hub.

    Args:
        name, number: of `split`.
        own: the revisions that this flowzoo ships, for the message.

    Raises:
        PresetError: no such revision; the message has those known.
        CheckpointError: the JSON in the cache is damaged, and no hub is set.
        HubError: (a CheckpointError) it was not found, and a hub did not answer.
    """
    kept, damaged = cache.revisions(name)
    if number in kept:
        return kept[number]
    record, known, reasons = mirrors.find(name, number)
    if record is not None:
        if record["bytes"] > LIMIT:
            raise HubError(f"{name}@{number}: expected at most {LIMIT} bytes of JSON, got {record['bytes']}.")
        path = cache.revision_place(name, number, record["sha256"])
        return cache.keep(path, record, partial(mirrors.download, record))
    if number in damaged:
        kind = HubError if reasons else CheckpointError
        raise kind(f"{name}@{number}: {damaged[number]} {' '.join(reasons) or _no_hub()}")
    known = ", ".join(map(str, sorted(known | set(own) | set(kept)))) or "none"
    message = f"unknown revision {number} of the preset {name!r}. Known: {known}."
    if reasons:
        raise HubError(f"{message} {' '.join(reasons)}")
    raise PresetError(f"{message} {_no_hub()}".rstrip())


def revisions(name: str) -> list[int]:
    """The revisions of a preset in the cache and on the hubs, as far as these answer."""
    if not re.fullmatch(NAME, name, re.ASCII):
        return []
    _, known, _ = mirrors.find(name, 0)  # 0: a revision that none has
    return sorted(known | set(cache.revisions(name)[0]))


def _no_hub() -> str:
    return "" if mirrors.hubs() else mirrors.NO_HUB


def _other(preset: Preset) -> bool:
    """Whether this is a revision that came from a hub, of which only the cache has files."""
    return "@" in preset.source


def _mend(where: Path, preset: Preset) -> str:
    if _other(preset):
        return f"Revision {preset.revision} is not the one of this flowzoo. {mirrors.NO_HUB}"
    if left_out(where):
        return f"This install has the small weights only. {mirrors.NO_HUB} An install from a clone has all weights."
    if where.parent == INSTALLED:
        return "Install flowzoo again."
    if where.parent == CHECKOUT:
        return "Restore it with `git checkout checkpoints`."
    return "Put the file that was published there, or load the preset with weights=False."
