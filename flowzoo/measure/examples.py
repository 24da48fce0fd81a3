"""Examples for the checks of a preset: the official test split, the few that are shipped, or samples of the flow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from flowzoo.models.flow import Flow
    from flowzoo.record.preset import Preset

    Examples = tuple[np.ndarray, Any]  # x (n, *event_shape), and the condition if the flow takes one

SAMPLES, TEMPERATURE = 64, 0.7  # of `inputs` where nothing is shipped


def arrays(
    dataset: Mapping[str, Any], split: str, limit: int | None = None, data_dir: str | os.PathLike | None = None
) -> Examples:
    """The first `limit` examples of a split in their own order: x, and the condition or None.

    Args:
        dataset: the `dataset` part of a preset: name, bits, labels, conditions.
        split: "train", "validation", "test" or another of the data set's.
        limit: how many; None for all.
        data_dir: as in `flowzoo.data.load`.
    """
    import numpy as np  # imported here and below: `flowzoo list` needs none of it

    from flowzoo import data

    stream = data.stream(dataset, split, batch_size=500, data_dir=data_dir)
    if limit is not None:
        stream = stream.take(-(-limit // 500))
    parts = [part if isinstance(part, tuple) else (part, None) for part in stream.as_numpy_iterator()]
    x = np.concatenate([part for part, _ in parts])[:limit]
    condition = data.spaces(dataset)[1]
    names = {name: [condition.parted(part)[name] for _, part in parts] for name in condition.spaces}
    return x, condition.whole({name: np.concatenate(column)[:limit] for name, column in names.items()})


def shipped_examples(preset: Preset) -> Examples | None:
    """The test examples in the package, as the preset's flow takes them: x (n, *event_shape) and condition or None.

    None instead of both if the package has none, as of data sets whose images may not be shipped.
    """
    from flowzoo import data

    if not data.spec(preset.dataset["name"]).shipped:
        return None
    return data.shipped(preset.dataset)


def inputs(preset: Preset, flow: Flow) -> tuple[Examples, str]:
    """Examples for checks that hold of any: the shipped ones, else the flow's own samples; and what they are."""
    shipped = shipped_examples(preset)
    if shipped is not None:
        return shipped, "shipped test images"
    condition = flow.condition.in_turn(SAMPLES)
    x = flow.sample(SAMPLES, condition, temperature=TEMPERATURE, seed=0).numpy()
    return (x, condition), f"samples of the flow at T = {TEMPERATURE:g}"


def official_test(preset: Preset, data_dir: str | None = None) -> Examples:
    """The official test split, as `shipped_examples` gives the shipped ones; raises `flowzoo.data.MissingDataError`."""
    return arrays(preset.dataset, "test", data_dir=data_dir)
