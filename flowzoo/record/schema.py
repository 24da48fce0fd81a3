"""The keys a preset may have, their types, and the check of JSON that names the path of a wrong one."""

import json
import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, NoReturn, get_type_hints

from flowzoo.core.errors import PresetError
from flowzoo.record.convention import stated
from flowzoo.record.recipe import Recipe

HUGE = 1e300  # no number of a preset comes near; what is beyond fails where it is computed with


@dataclass(frozen=True)
class Default:
    """Type of a key that may be absent."""

    kind: Any


@dataclass(frozen=True)
class Text:
    """Type of a string of one form, such as one that becomes part of a path."""

    form: str
    what: str


@dataclass(frozen=True)
class Each:
    """Type of a mapping with free keys of one form and values of one type."""

    key: Text
    kind: Any


@dataclass(frozen=True)
class Number:
    """Type of a number within bounds."""

    kind: Any = (int, float)
    least: float = -HUGE
    most: float = HUGE


@dataclass(frozen=True)
class Either:
    """Type of a mapping: `first` if it has the key, else `second`."""

    key: str
    first: Any
    second: Any


LIMIT, DEPTH = 2**20, 32  # of JSON: bytes, and objects in objects; presets have up to 5,000 bytes and 5 levels
NUMBER = Number()
POSITIVE, SHARE = Number(least=0), Number(least=0, most=1)
COUNT, COUNT_0, BITS = Number(int, 1), Number(int, 0), Number(int, 0, 16)
TEXTS = [str]  # a list of strings
ANY = {}  # a mapping with free keys: the family's constructor checks them

NAME = Text(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?", "a plain name of letters, digits, '.', '_' and '-'")
SHA256 = Text(r"[0-9a-f]{64}", "64 hexadecimal digits")
FILE = {"sha256": SHA256, "bytes": Number(int, 1, 2**40)}
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")  # a terminal may obey these


def _recipe() -> dict[str, Any]:
    hints, kinds = get_type_hints(Recipe), {}
    for field in fields(Recipe):
        kind = {float: NUMBER, int: Number(int)}.get(hints[field.name], hints[field.name])
        kinds[field.name] = kind if field.default is MISSING else Default(kind)
    return kinds


REQUIRED = {
    "name": NAME,
    "revision": Number(int, 1, 999_999_999),
    "description": str,
    "family": str,
    "config": ANY,
    "dataset": {"name": str, "bits": BITS, "labels": bool},
    "training": _recipe(),
    "licence": {"code": str, "weights": str, "data": str},
    "paper": {"title": str, "authors": str, "year": Number(int), "arxiv": str},
    "published": [{"metric": str, "value": NUMBER, "source": str, "note": str, "verified": bool}],
}
OPTIONAL = {
    "recipe_only": bool,  # true: a recipe, such as a paper's, for which no weights are published
    "known_failures": TEXTS,  # for people; those that are measured the card finds itself
}
KIND = Text("test|sampled|out_of_distribution", "test, sampled or out_of_distribution")
ROUND_TRIP = {  # of `flowzoo.measure.certificate`
    "inputs": str,
    "examples": COUNT,
    "reconstruction_error": Default(POSITIVE),
    "log_det_error": Default(POSITIVE),
    "non_finite_rate": SHARE,
    "exploded_rate": Default(SHARE),
}
LIKELIHOOD = {
    "value": NUMBER,
    "standard_error": POSITIVE,
    "kind": str,
    "draws": COUNT,
    "seed": COUNT_0,
    "split": str,
    "examples": COUNT,
    "bits": BITS,
    "temperature": POSITIVE,
    "weights": str,
}
METRIC = Either("standard_error", LIKELIHOOD, {"value": NUMBER, "note": str})
SCORES = {  # of `flowzoo.measure.other_data_set`
    "value": NUMBER,
    "standard_error": POSITIVE,
    "examples": COUNT,
    "counts": [COUNT_0],
}
MEASURED = {  # absent until `tools/publish.py` fills them
    "parameters": COUNT_0,
    "fingerprint": SHA256,
    "files": {
        "model.weights.h5": FILE,
        "samples.png": Default(FILE),
        "interpolations.png": Default(FILE),
        "history.csv": FILE,
    },
    "metrics": Each(NAME, METRIC),
    "certificate": Each(KIND, ROUND_TRIP),
    "elsewhere": {"dataset": NAME, "low": NUMBER, "high": NUMBER, "own": SCORES, "other": SCORES},
    "provenance": {
        "source_revision": str,
        "command": str,
        "versions": Each(NAME, str),
        "hardware": str,
        "wall_time_seconds": POSITIVE,
        "steps": COUNT_0,
        "seconds_per_step": POSITIVE,
        "date": str,
        "peak_memory_bytes": Default(COUNT_0),
        "peak_gpu_memory_bytes": Default(COUNT_0),
        "init_from": Default(str),
        "strategy": Default(str),
        "replicas": Default(COUNT),
        "workers": Default(COUNT),
    },
}
WITH_FILES = ("parameters", "fingerprint", "metrics", "provenance")  # what is published with `files`


_SHORT = reprlib.Repr()  # what messages quote
_SHORT.maxstring = _SHORT.maxother = 80


def parse_json(content: bytes, source: str, limit: int = LIMIT) -> Any:
    """What JSON in UTF-8 says; raises `PresetError` when it is none, or longer than `limit` bytes."""
    if len(content) > limit:
        raise PresetError(f"{source}: expected at most {limit} bytes of JSON, got more.")
    try:
        value = json.loads(content.decode(), parse_constant=_refuse, parse_float=_finite)
        to_json(value).encode()  # half a surrogate pair can't be written, or printed
    except (ValueError, RecursionError) as error:
        raise PresetError(f"{source}: expected a readable JSON file, got: {error}.") from error
    if _too_deep(value):
        raise PresetError(f"{source}: expected at most {DEPTH} levels of JSON, got more.")
    return value


def to_json(data: Any) -> str:
    """JSON as presets and indices are written."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


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
    check({key: value for key, value in data.items() if key not in absent}, REQUIRED | present, source)
    if "files" in present:
        _require_measured(data, present, source)


def check(value: Any, kind: Any, source: str, path: str = "") -> None:
    """Raise `PresetError`, with the path of what is wrong, unless `value` is of a type as this module writes them."""
    kind = kind.kind if isinstance(kind, Default) else kind
    if isinstance(kind, dict):
        _check_mapping(value, kind, path, source)
    elif isinstance(kind, Each):
        _check_each(value, kind, path, source)
    elif isinstance(kind, Either):
        check(value, kind.first if isinstance(value, Mapping) and kind.key in value else kind.second, source, path)
    elif isinstance(kind, Number):
        _check_type(value, kind.kind, path, source)
        _check_bounds(value, kind, path, source)
    elif isinstance(kind, list):
        if not isinstance(value, list):
            raise PresetError(f"{source}: `{path}` must be a list, got {_SHORT.repr(value)}.")
        for index, item in enumerate(value):
            check(item, kind[0], source, f"{path}[{index}]")
    elif isinstance(kind, Text):
        if not isinstance(value, str) or not re.fullmatch(kind.form, value, re.ASCII):
            raise PresetError(f"{source}: `{path}` must be {kind.what}, got {_SHORT.repr(value)}.")
    else:
        _check_type(value, kind, path, source)
        if kind is str and CONTROL.search(value):
            raise PresetError(
                f"{source}: `{path}` must be a line without control characters, got {_SHORT.repr(value)}."
            )


def _check_type(value: Any, kind: Any, path: str, source: str) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise PresetError(f"{source}: `{path}` must be {names}, got {_SHORT.repr(value)}.")


def _check_bounds(value: float, kind: Number, path: str, source: str) -> None:
    if not kind.least <= value <= kind.most:  # NaN is not, either
        bounds = "finite" if kind.least == -HUGE else f"at least {kind.least:g}"
        bounds = bounds if kind.most == HUGE else f"{kind.least:,} to {kind.most:,}"
        raise PresetError(f"{source}: `{path}` must be {bounds}, got {_SHORT.repr(value)}.")


def _require_measured(data: Mapping[str, Any], present: Mapping[str, Any], source: str) -> None:
    """What a preset with weights must have."""
    missing = [f"`{key}`" for key in WITH_FILES if key not in present]
    if missing:
        raise PresetError(f"{source}: missing key {', '.join(missing)}, which `files` come with.")
    metric = stated(data["dataset"]["bits"]).metric
    if "standard_error" not in data["metrics"].get(metric, {}):
        raise PresetError(f"{source}: missing key `metrics.{metric}` with the likelihood on the test split.")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no finite number")


def _check_each(value: Any, kind: Each, path: str, source: str) -> None:
    if not isinstance(value, Mapping):
        raise PresetError(f"{source}: `{path}` must be an object, got {_SHORT.repr(value)}.")
    for key, item in value.items():
        check(key, kind.key, source, f"{path}: key")
        check(item, kind.kind, source, f"{path}.{key}")


def _check_mapping(value: Any, kind: dict, path: str, source: str) -> None:
    if not isinstance(value, Mapping):
        raise PresetError(f"{source}: `{path}` must be an object, got {_SHORT.repr(value)}.")
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
        check(item, kind[key], source, f"{prefix}{key}")


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH):
        objects = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level = [child for children in objects for child in children]
    return bool(level)
