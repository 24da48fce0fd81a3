"""The work folder: one process at a time, one training for good."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowzoo.core import files
from flowzoo.record.recipe import recipes, staged
from flowzoo.training import state

if TYPE_CHECKING:
    from flowzoo.record.preset import Preset

PARTS = ("family", "config", "dataset", "training")  # the parts of a preset that identify a training


@dataclasses.dataclass(frozen=True)
class WorkFolder:
    """A folder and the training that is asked for there.

    Attributes:
        path: the folder.
        preset: the preset, with the stages as run; preset.json gets it.
        init_from: the preset or file to start from that the command names; None for the preset's own start.
    """

    path: Path
    preset: Preset
    init_from: str | os.PathLike | None = None

    def require_same(self) -> None:
        """Refuses a folder that holds another training.

        Raises:
            StateError: the folder holds another training, and the message lists what differs; or a file there is
                damaged.
        """
        path, first = self.path / "preset.json", self.path / "start.json"
        if not path.exists():
            return
        asked, start, here = self.preset.to_dict(), _start(self.init_from), record(self.path)
        try:  # fills in keys that were added since then
            here["training"] = [recipe.to_dict() for recipe in recipes(here["training"])]
        except (TypeError, ValueError, AttributeError) as error:
            raise state.StateError(f"{path}: {error} Was it edited? Pass another --workdir.") from error
        before = read(first, "init_from") if first.exists() else start
        if before["init_from"] != start["init_from"]:
            raise state.StateError(
                f"{self.path} holds a training that began from {before['init_from'] or 'new weights'}, got --init_from="
                f"{start['init_from'] or ''}. Pass the same --init_from to resume it, or another --workdir."
            )
        wrong = [line for part in PARTS for line in _differences(part, here[part], asked[part])]
        if wrong:
            raise state.StateError(
                f"{self.path} holds another training: {'; '.join(wrong)}. Pass another --workdir "
                "(and --init_from to start from this one's weights)."
            )

    def claim(self, origin: str = "") -> None:
        """Makes a new folder this training's; one that is already stays as it is.

        Args:
            origin: the `model.origin` of the weights from which the training starts here and now, if it does.
        """
        path, first = self.path / "preset.json", self.path / "start.json"
        new = not path.exists()
        if new or origin:
            began = _start(self.init_from) | ({"origin": origin} if origin else {})
            files.write_atomic(first, json.dumps(began) + "\n")
        if new:
            files.write_atomic(path, json.dumps(self.preset.to_dict(), indent=2) + "\n")


@contextlib.contextmanager
def alone(workdir: Path) -> Iterator[None]:
    """Refuses a folder in which another process is training; the lock ends with the process, even a killed one."""
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
            f"{error} Copy it again if this folder is a copy; else remove it: resuming with the same command "
            "writes it again."
        ) from error


def record(workdir: Path) -> dict[str, Any]:
    """What the preset.json of a claimed folder says; raises `StateError` if it is cut or damaged."""
    found = read(workdir / "preset.json", *PARTS)
    return found | {"training": staged(found["training"])}


def start(workdir: Path) -> dict[str, str | None]:
    """What a claimed folder's training began from: `init_from`, None unless the command had it, and `origin`."""
    path = workdir / "start.json"
    return read(path, "init_from") if path.exists() else _start(None)


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
    if path == "training":
        if len(here) != len(asked):
            return [f"training: {len(here)} stages there, {len(asked)} asked"]
        pairs = enumerate(zip(here, asked, strict=True))
        return [line for index, pair in pairs for line in _differences(f"training[{index}]", *pair)]
    here, asked = (json.loads(json.dumps(value)) for value in (here, asked))  # tuples are lists there
    return [] if here == asked else [f"{path}: {here!r} there, {asked!r} asked"]
