"""The likelihood that a flow gives to another data set: it may well be the higher one.

Reference: Nalisnick et al. 2019, Do deep generative models know what they don't know?, arXiv:1810.09136.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flowzoo import data
from flowzoo.data import specs
from flowzoo.measure.likelihood import losses
from flowzoo.measure.round_trip import mean_and_error
from flowzoo.record.preset import Preset

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow

BINS = 40


def other(preset: Preset) -> str | None:
    """The shipped data set of the same shape as the preset's own, if both are shipped and the flow takes no label."""
    own = specs.spec(preset.dataset["name"])
    if not own.shipped or preset.dataset["labels"]:
        return None
    alike = [
        name
        for name in specs.names()
        if name != own.name and specs.spec(name).shipped and specs.spec(name).event_shape == own.event_shape
    ]
    return alike[0] if alike else None


def elsewhere(preset: Preset, flow: Flow) -> dict[str, Any] | None:
    """Bits/dim of the shipped test images of the preset's data set and of `other`, with one histogram of both.

    Returns:
        The preset's `elsewhere`; None if there is no other data set of that shape.
    """
    name = other(preset)
    if name is None:
        return None
    images = [data.fixture(one)[0] >> (8 - preset.dataset["bits"]) for one in (preset.dataset["name"], name)]
    own, others = (losses(flow, x, None, samples=1, seed=0) for x in images)
    low, high = float(min(own.min(), others.min())), float(max(own.max(), others.max()))
    return {
        "dataset": name,
        "low": low,
        "high": high,
        "own": _entry(own, low, high),
        "other": _entry(others, low, high),
    }


def _entry(values: np.ndarray, low: float, high: float) -> dict[str, Any]:
    value, error = mean_and_error(values)
    counts = np.histogram(values, BINS, (low, high))[0].tolist()
    return {"value": value, "standard_error": error, "examples": len(values), "counts": counts}
