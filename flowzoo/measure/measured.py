"""What was measured, and how a card states it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowzoo.record.types import Count, CountFrom0, Line, NotNegative, Number, keys

if TYPE_CHECKING:
    import numpy as np

Entry = dict[str, Any]  # what a preset's JSON has of a measurement
MEAN = keys(  # the mean over examples, with all that it takes to measure it again
    value=Number,
    standard_error=NotNegative,
    kind=Line,
    draws=Count,
    seed=CountFrom0,
    split=Line,
    examples=Count,
    bits=CountFrom0,
    temperature=NotNegative,
    weights=Line,
)
NOTED = keys(value=Number, note=Line)


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        value: the number; where several belong together, all of them as the card has them.
        standard_error: over examples; None where there is none.
        protocol: how it was measured: kind, draws, seed, split, examples, ..., or a note.
    """

    value: Any
    standard_error: float | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def mean(cls, values: np.ndarray, **protocol: Any) -> Measured:
        """The mean of `values` (n,) and its standard error, std / sqrt(n), which one value does not have."""
        values = values.astype("float64")
        error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
        return cls(float(values.mean()), error, protocol)


def value_text(entry: Entry) -> str:
    """The value of a metric, with its standard error if it has one."""
    if "standard_error" in entry:
        return f"{entry['value']:.4f} ± {entry['standard_error']:.4f}"
    return f"{entry['value']:.3g}"


def protocol_text(entry: Entry) -> str:
    """How a metric was measured, but for the examples."""
    words: dict[str, Callable[[Any], str]] = {
        "kind": str,
        "draws": lambda draws: f"{draws} draw{'' if draws == 1 else 's'}",
        "seed": "seed {}".format,
        "bits": lambda bits: f"{bits}-bit data" if bits else "continuous data",
        "temperature": "T = {:g}".format,
        "weights": "{} weights".format,
        "note": str,
    }
    rest = [key for key in entry if key not in words and key not in ("value", "standard_error", "split", "examples")]
    said = [word(entry[key]) for key, word in words.items() if key in entry]
    return ", ".join(said + [f"{key} {entry[key]}" for key in rest])
