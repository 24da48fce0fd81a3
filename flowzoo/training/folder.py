"""The work folder: one process at a time, one recipe for good."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowzoo.core import files
from flowzoo.record.recipe import Recipe
from flowzoo.training import state

if TYPE_CHECKING:
    from flowzoo.record.preset import Preset


@contextlib.contextmanager
def alone(workdir: Path) -> Iterator[None]:
    """Refuses a folder in which another process is training; the lock goes with the process, even a killed one."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield
        return
    with open(workdir / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise state.StateError(f"Another process is training in {workdir}. Pass another --workdir.") from error
        yield


def read(path: Path, *keys: str) -> dict[str, Any]:
    """The object in a JSON file of a work folder, with these keys; raises `StateError` if it is cut or damaged."""
    try:
        return files.read_json(path, *keys)
    except ValueError as error:
        raise state.StateError(
            f"{error} Copy it again if this folder is a copy; else remove it, and training on with the same command "
            "writes it anew."
        ) from error


def require_same(workdir: Path, preset: Preset, recipe: Recipe, init_from: str | os.PathLike | None) -> None:
    """Refuses a folder that holds another training; the arguments are those of `claim`.

    Raises:
        StateError: the folder holds another training, and the message lists what differs; or a file there is damaged.
    """
    path, first = workdir / "preset.json", workdir / "start.json"
    if not path.exists():
        return
    asked, start = _record(preset, recipe), _start(init_from)
    here = read(path, "family", "config", "dataset", "training")
    try:
        here["training"] = Recipe.from_dict(here["training"]).to_dict()  # keys that are new since then, as they were
    except (TypeError, ValueError) as error:
        raise state.StateError(f"{path}: {error} Was it edited? Pass another --workdir.") from error
    wrong, before = [], read(first, "init_from") if first.exists() else start
    if before["init_from"] != start["init_from"]:
        raise state.StateError(
            f"{workdir} holds a training that began from {before['init_from'] or 'new weights'}, got --init_from="
            f"{start['init_from'] or ''}. Pass the same --init_from to go on with it, or another --workdir."
        )
    for part in ("family", "config", "dataset", "training"):
        wrong += _differences(part, here[part], asked[part])
    if wrong:
        raise state.StateError(
            f"{workdir} holds another training: {'; '.join(wrong)}. Pass another --workdir "
            "(and --init_from to start from this one's weights)."
        )


def claim(workdir: Path, preset: Preset, recipe: Recipe, init_from: str | os.PathLike | None) -> None:
    """Makes a new folder this training's; one that is already stays as it is.

    Args:
        workdir: the folder.
        preset: the preset; preset.json gets it with the recipe as run.
        recipe: the recipe as run.
        init_from: the preset or file to start from, if any.
    """
    from flowzoo.training.model import origin  # imports TensorFlow, which `offload` does without

    if not (workdir / "preset.json").exists():
        began = _start(init_from) | ({"origin": origin(init_from)} if init_from else {})
        files.write_atomic(workdir / "start.json", json.dumps(began) + "\n")
        files.write_atomic(workdir / "preset.json", json.dumps(_record(preset, recipe), indent=2) + "\n")


def start(workdir: Path) -> dict[str, str | None]:
    """What a claimed folder's training began from: `init_from`, None for new weights, and its `model.origin`."""
    path = workdir / "start.json"
    return read(path, "init_from") if path.exists() else _start(None)


def _record(preset: Preset, recipe: Recipe) -> dict[str, Any]:
    return preset.to_dict() | {"training": recipe.to_dict()}


def _start(init_from: str | os.PathLike | None) -> dict[str, str | None]:
    if init_from is not None and Path(init_from).exists():
        init_from = Path(init_from).resolve()  # the same file, from wherever the command is given
    return {"init_from": None if init_from is None else str(init_from)}


def _differences(path: str, here: Any, asked: Any) -> list[str]:
    if isinstance(here, dict) and isinstance(asked, dict):
        keys = sorted(here.keys() | asked.keys())
        return [
            line for key in keys for line in _differences(f"{path}.{key}".lstrip("."), here.get(key), asked.get(key))
        ]
    here, asked = (json.loads(json.dumps(value)) for value in (here, asked))  # tuples are lists there
    return [] if here == asked else [f"{path}: {here!r} there, {asked!r} asked"]
