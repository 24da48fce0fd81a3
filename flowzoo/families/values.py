"""What the value of an option may be: a check, (value, name) -> value, that can also say what it expects."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from flowzoo.core.checks import check_count, check_flag, check_number, check_shape
from flowzoo.core.space import Condition, Space

# No flow needs more, and a mistyped number must not build for hours, or fill the memory, before anyone notices.
DIMENSIONS, LAYERS, SCALES, WIDTH, CLASSES, BITS = 2**24, 1_000, 12, 2**14, 10**6, 16
SEEDS = 2**29  # of initial weights; the networks know 2^30, of which a flow takes one after the other
LIMIT = 1e6  # of bounds; beyond, float32 has no digits left for what happens inside


@dataclasses.dataclass(frozen=True)
class Count:
    """A whole number; None for no largest one."""

    least: int = 1
    most: int | None = LAYERS

    def __call__(self, value: Any, what: str) -> int:
        count = check_count(value, what, self.least)
        if self.most is not None and count > self.most:
            raise ValueError(f"`{what}` must be at most {self.most:,}, got {count}.")
        return count

    def __str__(self) -> str:
        return f">= {self.least}" if self.most is None else f"{self.least} to {self.most:,}"


@dataclasses.dataclass(frozen=True)
class Number:
    """A finite number > 0, or with `zero` >= 0, and less than `below`."""

    below: float = math.inf
    zero: bool = False

    def __call__(self, value: Any, what: str) -> float:
        return check_number(value, what, self.below, zero=self.zero)

    def __str__(self) -> str:
        return f"{'>=' if self.zero else '>'} 0" + ("" if self.below == math.inf else f", < {self.below:g}")


@dataclasses.dataclass(frozen=True)
class Flag:
    """True or False."""

    def __call__(self, value: Any, what: str) -> bool:
        return check_flag(value, what)

    def __str__(self) -> str:
        return "True or False"


@dataclasses.dataclass(frozen=True)
class OneOf:
    """One of these strings."""

    names: tuple[str, ...]

    def __call__(self, value: Any, what: str) -> str:
        if not isinstance(value, str) or value not in self.names:
            raise ValueError(f"`{what}` must be {self}, got {value!r}.")
        return value

    def __str__(self) -> str:
        return f"one of {list(self.names)}" if len(self.names) > 2 else " or ".join(map(repr, self.names))


@dataclasses.dataclass(frozen=True)
class Shape:
    """The shape of one example."""

    def __call__(self, value: Any, what: str) -> tuple[int, ...]:
        shape = check_shape(value, what)
        if math.prod(shape) > DIMENSIONS:
            raise ValueError(f"`{what}` must have at most {DIMENSIONS:,} entries, got {value!r}.")
        return shape

    def __str__(self) -> str:
        return f"at most {DIMENSIONS:,} entries"


@dataclasses.dataclass(frozen=True)
class Policy:
    """A dtype policy of Keras, or None."""

    def __call__(self, value: Any, what: str) -> str | None:
        try:
            known = value is None or tf.as_dtype(keras.dtype_policies.get(value).compute_dtype).is_floating
        except (TypeError, ValueError):
            known = False
        if not known:
            raise ValueError(f"`{what}` must be a dtype policy, such as 'float32' or 'mixed_bfloat16', got {value!r}.")
        return value

    def __str__(self) -> str:
        return "a dtype policy or None"


@dataclasses.dataclass(frozen=True)
class Conditions:
    """A condition as `core.space.Condition.config` gives it; a Space, or a dict of them, is converted to one."""

    def __call__(self, value: Any, what: str) -> dict[str, Any] | None:
        try:
            spaces = isinstance(value, Space) or (
                isinstance(value, Mapping) and all(isinstance(one, Space) for one in value.values())
            )
            return (Condition(value or None) if spaces else Condition.from_config(value)).config()
        except (TypeError, ValueError) as error:
            raise ValueError(f"`{what}` must be a Space, or a dict of them by name, got {value!r}. {error}") from error

    def __str__(self) -> str:
        return "a Space, or a dict of them"


@dataclasses.dataclass(frozen=True)
class NamedOr:
    """One of these strings; or a family, by its name or as a dict of `family` and its own options."""

    names: tuple[str, ...]

    def __call__(self, value: Any, what: str) -> str | dict[str, Any]:
        family = value.get("family") if isinstance(value, Mapping) else value
        if not isinstance(family, str):
            raise ValueError(f"`{what}` must be {self}, got {value!r}.")
        return dict(value) if isinstance(value, Mapping) else value

    def __str__(self) -> str:
        return f"{' or '.join(map(repr, self.names))}, a family of vectors, or a dict of `family` and its options"


def called(given: str | Mapping[str, Any]) -> str:
    """The name in a value that `NamedOr` takes."""
    return given if isinstance(given, str) else given["family"]
