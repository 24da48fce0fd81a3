"""The keys a preset may have, their types, and the check that names the path of a wrong one."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, get_type_hints

from flowzoo.errors import PresetError
from flowzoo.training.recipe import Recipe


@dataclass(frozen=True)
class Default:
    """Type of a key that may be absent."""

    kind: Any


NUMBER = (int, float)
TEXTS = [str]  # a list of strings
ANY = {}  # a mapping with free keys: the family's constructor checks them

FILE = {"sha256": str, "bytes": int}


def _recipe() -> dict[str, Any]:
    hints, kinds = get_type_hints(Recipe), {}
    for field in fields(Recipe):
        kind = NUMBER if hints[field.name] is float else hints[field.name]
        kinds[field.name] = kind if field.default is MISSING else Default(kind)
    return kinds


REQUIRED = {
    "name": str,
    "revision": int,
    "description": str,
    "family": str,
    "config": ANY,
    "dataset": {"name": str, "bits": int, "labels": bool},
    "training": _recipe(),
    "licence": {"code": str, "weights": str, "data": str},
    "paper": {"title": str, "authors": str, "year": int, "arxiv": str},
    "published": [{"metric": str, "value": NUMBER, "source": str, "note": str, "verified": bool}],
}
OPTIONAL = {"recipe_only": bool}  # true: a recipe, such as a paper's, for which no weights are published
MEASURED = {  # absent until `tools/publish.py` fills them
    "parameters": int,
    "fingerprint": str,
    "files": {
        "model.weights.h5": FILE,
        "samples.png": Default(FILE),
        "interpolations.png": Default(FILE),
        "history.csv": FILE,
    },
    "metrics": ANY,
    "provenance": {
        "source_revision": str,
        "command": str,
        "versions": ANY,
        "hardware": str,
        "wall_time_seconds": NUMBER,
        "steps": int,
        "seconds_per_step": NUMBER,
        "date": str,
        "peak_memory_bytes": Default(int),
        "peak_gpu_memory_bytes": Default(int),
        "init_from": Default(str),
        "strategy": Default(str),
        "replicas": Default(int),
        "workers": Default(int),
    },
}


def check_preset(data: Any, source: str) -> None:
    """Raise `PresetError` unless `data` has every required key, no unknown one, and the right types.

    Args:
        data: what was read from JSON.
        source: where it came from, for the message.
    """
    if not isinstance(data, Mapping):
        raise PresetError(f"{source}: expected a JSON object, got {type(data).__name__}.")
    optional = OPTIONAL | MEASURED
    present = {key: kind for key, kind in optional.items() if data.get(key) is not None}
    absent = {key for key in optional if key in data and data[key] is None}
    _check({key: value for key, value in data.items() if key not in absent}, REQUIRED | present, "", source)


def _check(value: Any, kind: Any, path: str, source: str) -> None:
    kind = kind.kind if isinstance(kind, Default) else kind
    if isinstance(kind, dict):
        _check_mapping(value, kind, path, source)
    elif isinstance(kind, list):
        if not isinstance(value, list):
            raise PresetError(f"{source}: `{path}` must be a list, got {value!r}.")
        for index, item in enumerate(value):
            _check(item, kind[0], f"{path}[{index}]", source)
    elif not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise PresetError(f"{source}: `{path}` must be {names}, got {value!r}.")


def _check_mapping(value: Any, kind: dict, path: str, source: str) -> None:
    if not isinstance(value, Mapping):
        raise PresetError(f"{source}: `{path}` must be an object, got {value!r}.")
    if kind is ANY:
        return
    prefix = f"{path}." if path else ""
    unknown = [f"`{prefix}{key}`" for key in value if key not in kind]
    if unknown:
        raise PresetError(f"{source}: unknown key {', '.join(unknown)}. Known here: {', '.join(kind)}.")
    missing = [f"`{prefix}{key}`" for key in kind if key not in value and not isinstance(kind[key], Default)]
    if missing:
        raise PresetError(f"{source}: missing key {', '.join(missing)}.")
    for key, item in value.items():
        _check(item, kind[key], f"{prefix}{key}", source)
