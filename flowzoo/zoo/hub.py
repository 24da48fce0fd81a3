"""Write a hub: the static tree from which others load presets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock

from flowzoo.errors import CheckpointError, PresetError
from flowzoo.files import damage, write_atomic
from flowzoo.zoo import index, store
from flowzoo.zoo.bounds import PROMISED, failures
from flowzoo.zoo.preset import Preset
from flowzoo.zoo.schema import check, to_json


def write_tree(presets: Iterable[str | Path], folder: str | Path) -> index.Revisions:
    """Adds presets to the hub in `folder`, which is made if need be.

    The index is written last and at once, so that a reader finds either the former hub or the new one, whatever happens
    meanwhile. Revisions that are there stay.

    Args:
        presets: what `Preset.read` takes.
        folder: the root of the hub; put it under a web server, or copy it to a bucket.

    Returns:
        The revisions that the hub has now.

    Raises:
        CheckpointError: a preset has no measured numbers or no invertibility certificate, that certificate says it does
            not invert, or its files are missing or damaged. Nothing is written.
        PresetError: a revision is there with other contents, or what lies in `folder` is no hub. Nothing is written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        revisions, files = _index(folder), {}
        for name in presets:
            preset = Preset.read(name)
            _require_measured(preset)
            record, its_files = _record(preset, name)
            _add(revisions, preset, record)
            files |= its_files
        content = to_json({"schema": index.SCHEMA, "presets": revisions}).encode()
        index.parse(content, index.INDEX)  # what would not be read is not written
        for expected, source in files.values():
            path = folder / index.address(expected["sha256"])
            if damage(path, expected):
                write_atomic(path, source if isinstance(source, bytes) else source.read_bytes())
        write_atomic(folder / index.INDEX, content)
    return revisions


def write_verified(
    presets: Iterable[str | Path], folder: str | Path, *, examples: int | None = None, data_dir: str | None = None
) -> index.Revisions:
    """`write_tree` once every card is measured again.

    Args:
        presets, folder: as in `write_tree`.
        examples, data_dir: as in `verify`.

    Raises:
        CheckpointError: a number of a card is off. Nothing is written.
    """
    from flowzoo.zoo.verify import verify  # needs TensorFlow

    presets = list(presets)
    for name in presets:
        report = verify(name, examples=examples, data_dir=data_dir)
        if not report.ok:
            raise CheckpointError(f"{report}\nThe card of {report.preset} is not verified: no hub gets it.")
    return write_tree(presets, folder)


def _index(folder: Path) -> index.Revisions:
    path = folder / index.INDEX
    return index.parse(path.read_bytes(), str(path)) if path.exists() else {}


def _require_measured(preset: Preset) -> None:
    if not preset.trained or preset.measured is None:
        why = "it is a recipe only" if preset.recipe_only else "publish a training of it by tools/publish.py first"
        raise CheckpointError(f"{preset.name} has no measured numbers, so no hub gets it: {why}.")
    if not set(PROMISED) <= set(preset.certificate or {}):
        raise CheckpointError(
            f"{preset.name} has no invertibility certificate, so no hub gets it. "
            f"Run: flowzoo verify {preset.name} --update"
        )
    wrong = failures(preset.certificate)
    if wrong:
        raise CheckpointError(f"{preset.name} does not invert, so no hub gets it: {'; '.join(wrong)}.")


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
    check(key, index.REVISION, preset.source, "revision")
    there = revisions.setdefault(preset.name, {}).setdefault(key, record)
    if there != record:
        raise PresetError(
            f"{preset.name}@{key} is in the hub with sha256 {there['sha256']}, got {record['sha256']}. "
            "A revision never changes: raise `revision` in the preset."
        )
