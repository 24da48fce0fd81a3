"""Presets by name: those that flowzoo ships, and any revision that the cache or a hub has."""

import fnmatch
from pathlib import Path

from flowzoo.core.errors import PresetError, closest, nearest
from flowzoo.core.files import irregular
from flowzoo.hub import store
from flowzoo.hub.store import PRESETS
from flowzoo.record.preset import Preset


def read_preset(name_or_path: str | Path, folder: str | Path = PRESETS) -> Preset:
    """Read and check a preset.

    Args:
        name_or_path: the name of a preset in `folder`; `name@revision` for that revision of one of flowzoo's own,
            from the cache or a hub if it is not the one this flowzoo ships; or the path of a `.json` file.
        folder: where presets lie; flowzoo's own by default.

    Returns:
        The preset.

    Raises:
        PresetError: no such preset (the message names the nearest) or revision (the message has those known), invalid
            JSON, an unknown or missing key (the message has its path), or a wrong type.
        HubError: no hub gave the revision.
    """
    name = str(name_or_path)
    if name.endswith(".json"):
        path = json_path(name)
        if wrong := irregular(path):
            raise PresetError(f"{path} {wrong}. Pass the path of a .json file or the name of a preset.")
        if not path.is_file():
            raise PresetError(f"no preset file at {path}. Pass the path of a .json file or the name of a preset.")
        return Preset.read(path)
    if "@" in name:
        return _read_revision(name, folder)
    known = list_presets(folder=folder)
    if name not in known:
        there = ", ".join(f"{name}@{revision}" for revision in store.revisions(name))
        hint = f"Not shipped with this flowzoo, but known by revision: {there}." if there else nearest(name, known)
        raise PresetError(f"unknown preset {name!r}. {hint}")
    return Preset.read(json_path(name, folder))


def json_path(name_or_path: str | Path, folder: str | Path = PRESETS) -> Path:
    """Where the JSON of a preset lies that is given by its name in `folder`, without a revision, or by a path."""
    return Path(name_or_path) if str(name_or_path).endswith(".json") else Path(folder) / f"{name_or_path}.json"


def list_presets(pattern: str = "*", folder: str | Path = PRESETS, *, weights: bool | None = None) -> list[str]:
    """Names of the presets that match a shell-style `pattern`, sorted.

    Args:
        pattern: such as "glow-*".
        folder: where presets lie; flowzoo's own by default.
        weights: True for those with trained weights, False for those without (such as recipes of a paper's size), None
            for all.

    >>> import flowzoo
    >>> flowzoo.list_presets("glow-fashion*")
    ['glow-fashion-mnist']
    """
    names = sorted(path.stem for path in Path(folder).glob("*.json") if fnmatch.fnmatchcase(path.stem, pattern))
    return [name for name in names if weights is None or read_preset(name, folder).trained == weights]


def _read_revision(wanted: str, folder: str | Path) -> Preset:
    name, revision = store.split(wanted)
    known = list_presets(folder=folder)
    own = read_preset(name, folder) if name in known else None
    if own and own.revision == revision:
        return own
    try:
        path = store.revision(name, revision, [own.revision] if own else [])
    except PresetError as error:
        meant = closest(name, known)
        if own or not meant:
            raise
        raise PresetError(f"{error} {meant}") from error
    preset = Preset.read(path)
    if (preset.name, preset.revision) != (name, revision):
        raise PresetError(f"{path.name}: expected {wanted}, got {preset.name}@{preset.revision}. The hub is wrong.")
    return preset
