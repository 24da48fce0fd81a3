"""The types of JSON values, checked by msgspec, and the message for the first value that is not of its type."""

import re
import reprlib
from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, get_args, get_origin

import msgspec
from msgspec import Meta

from flowzoo.core.errors import PresetError, nearest

NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?"
CONTROL = "\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"  # a terminal may act on these
HUGE = 1e300  # far above any number of a preset; larger ones would fail in computations
LARGEST = 2**63 - 1  # integer that msgspec can bound
_SHORT = reprlib.Repr()  # what messages quote
_SHORT.maxstring = _SHORT.maxother = 80


def keys(**kinds: Any) -> type[msgspec.Struct]:
    """The type of an object with these keys and no others; one of `typing.NotRequired` may be absent."""
    fields = []
    for key, kind in kinds.items():
        default = None if get_origin(kind) is NotRequired else msgspec.NODEFAULT
        kind = kind if default is msgspec.NODEFAULT else get_args(kind)[0]
        fields.append((key.replace(".", "_"), kind, msgspec.field(name=key, default=default)))
    return msgspec.defstruct("Keys", fields, kw_only=True, forbid_unknown_fields=True)


def text(form: str, what: str) -> Meta:
    """The bounds of a string of one form, such as one that becomes part of a path."""
    return Meta(pattern=rf"^(?:{form})\Z", description=what)


def one_of(*choices: str) -> Meta:
    """The bounds of a string that is one of a few."""
    return text("|".join(map(re.escape, choices)), f"one of {', '.join(map(repr, choices))}")


def whole(least: int, most: int = LARGEST) -> Meta:
    """The bounds of an integer."""
    bounds = f"from {least:,} to {most:,}" if most < LARGEST else f">= {least} and < 2^63"
    return Meta(ge=least, le=most, description=f"an integer {bounds}")


Name = Annotated[str, text(NAME, "a plain name of letters, digits, '.', '_' and '-'")]
Sha256 = Annotated[str, text("[0-9a-f]{64}", "64 hexadecimal digits")]
Line = Annotated[str, text(f"[^{CONTROL}]*", "a line without control characters")]
Flag = Annotated[bool, Meta(description="true or false")]
Number = Annotated[float, Meta(ge=-HUGE, le=HUGE, description="a finite number")]
NotNegative = Annotated[float, Meta(ge=0, le=HUGE, description="a finite number >= 0")]
Count, CountFrom0 = Annotated[int, whole(1)], Annotated[int, whole(0)]
Bytes = Annotated[int, whole(1, 2**40)]
File = keys(sha256=Sha256, bytes=Bytes)


def check(value: Any, kind: Any, source: str, path: str = "") -> None:
    """Raise `PresetError`, with the path of what is wrong, unless `value` is of a type.

    Args:
        value: what was read from JSON.
        kind: one of this module's types, or a list or dictionary of them.
        source: where it came from, for the message.
        path: of `value` in it.
    """
    if wrong := fault(value, kind, path):
        raise PresetError(f"{source}: {wrong}")


def check_facts(value: Any, source: str, path: str) -> None:
    """Raise `PresetError`, as `check`, unless `value` is a line, a finite number, or an object or a list of such.

    This is not a union of types, as msgspec 0.22 crashes on unions of bounded strings and objects.
    """
    if isinstance(value, Mapping):
        for key, part in value.items():
            check(key, Name, source, f"{path}: key")
            check_facts(part, source, f"{path}.{key}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            check_facts(part, source, f"{path}[{index}]")
    else:
        check(value, Line if isinstance(value, str) else Number, source, path)


def fault(value: Any, kind: Any, path: str = "") -> str:
    """What is wrong with the first part of `value` that is not of its type; "" if every part is.

    msgspec states neither the value it got nor which key of a dictionary has it, so the message is made here.
    """
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        what = "a list" if get_origin(kind) is list else "an object"
        what = kind.__metadata__[0].description if get_origin(kind) is Annotated else what
        return _in_parts(value, kind, path) or f"`{path}` must be {what}, got {_SHORT.repr(value)}."
    return ""


def _in_parts(value: Any, kind: Any, path: str) -> str:
    """What is wrong inside a list or an object; "" if `value` is of another kind."""
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind  # a list of bounded length
    parts, prefix = [], f"{path}." if path else ""
    if get_origin(kind) is list and isinstance(value, list):
        parts = [(item, get_args(kind)[0], f"{path}[{index}]") for index, item in enumerate(value)]
    elif get_origin(kind) is dict and isinstance(value, Mapping):
        for key, item in value.items():
            parts += zip((key, item), get_args(kind), (f"{path}: key", f"{prefix}{key}"), strict=True)
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, Mapping):
        known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        if unknown := [key for key in value if key not in known]:
            return f"unknown key `{prefix}{unknown[0]}`. {nearest(str(unknown[0]), known)}"
        if missing := [f"`{prefix}{key}`" for key, field in known.items() if field.required and key not in value]:
            return f"missing key {', '.join(missing)}."
        parts = [(item, known[key].type, f"{prefix}{key}") for key, item in value.items()]
    return next(filter(None, (fault(*part) for part in parts)), "")
