"""Write a hub: the static tree from which others load presets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock

from flowzoo.core.bars import bar
from flowzoo.core.errors import CheckpointError, PresetError
from flowzoo.core.files import damage, unwritable, write_atomic
from flowzoo.hub import index, store
from flowzoo.hub.presets import read_preset
from flowzoo.measure.registry import MEASUREMENTS
from flowzoo.record.preset import Preset
from flowzoo.record.schema import to_json
from flowzoo.record.types import check


def write_tree(
    presets: Iterable[str | Path],
    folder: str | Path,
    *,
    verified: bool = True,
    data_dir: str | None = None,
    progress: bool = False,
) -> index.Revisions:
    """Adds presets to the hub in `folder`, which is created if needed.

    The index is written last and at once, so that a reader finds either the former hub or the new one, whatever happens
    meanwhile. Existing revisions stay.

    Args:
        presets: what `read_preset` takes.
        folder: the root of the hub; put it under a web server, or copy it to a bucket.
        verified: measure every number of the cards again first, on the official test split. Without this they are
            trusted; whether each preset loads is always checked.
        data_dir: as in `verify`.
        progress: show bars, on stderr, if it is a terminal.

    Returns:
        The revisions that the hub has now.

    Raises:
        CheckpointError: a preset has no measured numbers, or lacks one that every hub wants, such as the invertibility
            certificate; a number is beyond its bounds, is off or can't be measured here; its files are missing, damaged
            or another flow's. Nothing is written.
        PresetError: a preset is unknown, its parts don't fit, the hub has other contents under the same revision,
            `folder` holds something other than a hub, or can't be written to. Nothing is written.
    """
    presets, folder = list(presets), Path(folder)
    if wrong := unwritable(folder):
        raise PresetError(f"the hub {folder} {wrong}.")
    _planned(presets, folder)  # quick checks come first, for all presets
    with bar(len(presets), "verifying" if verified else "loading", shown=progress and len(presets) > 1) as done:
        for name in presets:
            if verified:
                _require_true(name, data_dir, progress)
            else:
                _require_loadable(name)
            done.update()
    return _write(presets, folder)


def _require_loadable(name: str | Path) -> None:
    from flowzoo.data.requirements import require_dataset
    from flowzoo.zoo.load import load

    require_dataset(read_preset(name))
    load(name)


def _require_true(name: str | Path, data_dir: str | None, progress: bool) -> None:
    from flowzoo.zoo.verify import OFFICIAL, verify  # needs TensorFlow

    report = verify(name, data_dir=data_dir, progress=progress)
    if not report.ok:
        raise CheckpointError(f"{report}\nThe card of {report.preset} is not verified: no hub gets it.")
    if report.data != OFFICIAL:
        raise CheckpointError(
            f"{report.preset} was measured on {report.data}, which is too little to verify its card for a hub."
        )


def _write(presets: list[str | Path], folder: Path) -> index.Revisions:
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        revisions, files = _planned(presets, folder)
        for expected, source in files.values():
            path = folder / index.address(expected["sha256"])
            if damage(path, expected):
                write_atomic(path, source if isinstance(source, bytes) else source.read_bytes())
        write_atomic(folder / index.INDEX, _content(revisions))
    return revisions


def _planned(presets: list[str | Path], folder: Path) -> tuple[index.Revisions, dict[str, tuple[dict, bytes | Path]]]:
    """The revisions that the hub is to have, and by digest what belongs to those added and where it is now."""
    revisions, files = _index(folder), {}
    for name in presets:
        preset = read_preset(name)
        _require_measured(preset)
        record, its_files = _record(preset, name)
        _add(revisions, preset, record)
        files |= its_files
    index.parse(_content(revisions), index.INDEX)  # nothing is written that could not be read
    return revisions, files


def _content(revisions: index.Revisions) -> bytes:
    return to_json({"schema": index.SCHEMA, "presets": revisions}).encode()


def _index(folder: Path) -> index.Revisions:
    path = folder / index.INDEX
    return index.parse(path.read_bytes(), str(path)) if path.exists() else {}


def _require_measured(preset: Preset) -> None:
    if not preset.trained:
        why = "it is a recipe only" if preset.recipe_only else "publish a training of it by tools/publish.py first"
        raise CheckpointError(f"{preset.name} has no measured numbers, so no hub gets it: {why}.")
    for measurement in MEASUREMENTS:
        entry = measurement.entry(preset)
        if lost := measurement.missing(entry):
            raise CheckpointError(
                f"{preset.name} lacks {lost}, so no hub gets it. Run: flowzoo verify {preset.name} --update"
            )
        if wrong := measurement.broken(entry) if entry else []:
            raise CheckpointError(f"{preset.name} {measurement.must}, so no hub gets it: {'; '.join(wrong)}.")


def _record(preset: Preset, name: str | Path) -> tuple[dict[str, Any], dict[str, tuple[dict, bytes | Path]]]:
    """What the index says of a preset, and by digest what belongs to it and where it is now."""
    content = preset.to_json().encode()
    record = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    files = {record["sha256"]: (dict(record), content)}
    for file, expected in preset.files.items():
        files[expected["sha256"]] = expected, store.checked_file(preset, store.folder(name), file)
    return record | {"files": preset.files}, files


def _add(revisions: index.Revisions, preset: Preset, record: dict[str, Any]) -> None:
    key = str(preset.revision)
    check(key, index.Revision, preset.source, "revision")
    there = revisions.setdefault(preset.name, {}).setdefault(key, record)
    if there != record:
        raise PresetError(
            f"{preset.name}@{key} is in the hub with sha256 {there['sha256']}, got {record['sha256']}. "
            "A revision never changes: raise `revision` in the preset."
        )
