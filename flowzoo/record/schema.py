"""The keys a preset may have and their types, and JSON as presets are written."""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn, NotRequired

from msgspec import Meta

from flowzoo.core.errors import PresetError
from flowzoo.record.recipe import STAGES, TRAINING
from flowzoo.record.types import (
    Count,
    CountFrom0,
    File,
    Flag,
    Line,
    Name,
    NotNegative,
    Number,
    Sha256,
    check,
    check_facts,
    keys,
    whole,
)

LIMIT, DEPTH = 2**20, 32  # of JSON: bytes, and objects in objects; presets have up to 5,000 bytes and 5 levels

Bits = Annotated[int, whole(0, 16)]
METRIC = keys(value=Number, standard_error=NotRequired[NotNegative])  # and facts of the protocol
PROVENANCE = keys(
    source_revision=Line,
    source_note=NotRequired[Line],  # why this repository's history does not have it as it was
    command=Line,
    versions=dict[Name, Line],
    hardware=Line,
    wall_time_seconds=NotNegative,
    processor_seconds=NotRequired[NotNegative],  # of all stages
    steps=CountFrom0,
    seconds_per_step=NotNegative,
    date=Line,
    peak_memory_bytes=NotRequired[CountFrom0],
    peak_gpu_memory_bytes=NotRequired[CountFrom0],
    init_from=NotRequired[Line],
    strategy=NotRequired[Line],
    replicas=NotRequired[Count],
    workers=NotRequired[Count],
)
_SOME_STAGES = f"a list of 1 to {STAGES} stages"
REQUIRED = {
    "name": Name,
    "revision": Annotated[int, whole(1, 999_999_999)],
    "description": Line,
    "family": Line,
    "config": dict,  # the family's constructor checks it
    "dataset": keys(name=Line, bits=Bits, labels=Flag, conditions=NotRequired[list[Name]]),
    "training": Annotated[list[TRAINING], Meta(min_length=1, max_length=STAGES, description=_SOME_STAGES)],
    "licence": keys(code=Line, weights=Line, data=Line),
    "paper": keys(title=Line, authors=Line, year=Annotated[int, whole(0, 9999)], arxiv=Line),
    "published": list[keys(metric=Line, value=Number, source=Line, note=Line, verified=Flag)],
}
OPTIONAL = {  # absent or null
    "recipe_only": Flag,  # true: a recipe, such as a paper's, for which no weights are published
    "known_failures": list[Line],  # written by hand; the card adds those that are measured
    "parameters": CountFrom0,  # `tools/publish.py` fills in this and all below
    "fingerprint": Sha256,
    "files": keys(
        **{"model.weights.h5": File, "history.csv": File},
        **dict.fromkeys(("samples.png", "interpolations.png", "samples.wav"), NotRequired[File]),
    ),
    "metrics": dict[Name, dict],  # by names that only `flowzoo.measure` knows
    "certificate": dict,
    "other_data_set": dict,
    "provenance": PROVENANCE,
}
PRESET = keys(**REQUIRED, **{key: NotRequired[kind] for key, kind in OPTIONAL.items()})
MEASURED = ("metrics", "certificate", "other_data_set")
WITH_FILES = ("parameters", "fingerprint", "metrics", "provenance")  # what is published with `files`


def check_preset(data: Any, source: str) -> None:
    """Raise `PresetError` unless `data` has every required key, no unknown one, and the right types.

    Args:
        data: what was read from JSON.
        source: where it came from, for the message.
    """
    if not isinstance(data, Mapping):
        raise PresetError(f"{source}: expected a JSON object, got {type(data).__name__}.")
    present = {key: value for key, value in data.items() if value is not None or key not in OPTIONAL}
    check(present, PRESET, source)
    for key in MEASURED:
        check_facts(present.get(key, {}), source, key)
    for name, metric in present.get("metrics", {}).items():
        number = {key: fact for key, fact in metric.items() if key in ("value", "standard_error")}
        check(number, METRIC, source, f"metrics.{name}")
    if "files" in present:
        _require_measured(present, source)


def _require_measured(present: Mapping[str, Any], source: str) -> None:
    """What a preset with weights must have."""
    missing = [f"`{key}`" for key in WITH_FILES if key not in present]
    if missing:
        raise PresetError(f"{source}: missing key {', '.join(missing)}, which `files` come with.")
    if not present["metrics"]:
        raise PresetError(f"{source}: `metrics` must have at least one number, got none.")


def parse_json(content: bytes, source: str, limit: int = LIMIT) -> Any:
    """The value of JSON in UTF-8; raises `PresetError` if it is not JSON, or longer than `limit` bytes."""
    if len(content) > limit:
        raise PresetError(f"{source}: expected at most {limit} bytes of JSON, got more.")
    try:
        value = json.loads(content.decode(), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_once)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair can't be written, or printed
    except (ValueError, RecursionError) as error:
        raise PresetError(f"{source}: expected a readable JSON file, got: {error}.") from error
    if _too_deep(value):
        raise PresetError(f"{source}: expected at most {DEPTH} levels of JSON, got more.")
    return value


def to_json(data: Any) -> str:
    """JSON as presets and indices are written."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse(number)


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"{number} is not a finite number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} twice in an object")
    return value


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH):
        objects = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level = [child for children in objects for child in children]
    return bool(level)
