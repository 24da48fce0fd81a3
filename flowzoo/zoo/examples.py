"""Test examples of a preset's data set: the official split, and the few that are shipped with flowzoo."""

import numpy as np

from flowzoo import data
from flowzoo.training import evaluation
from flowzoo.zoo.preset import Preset

Examples = tuple[np.ndarray, np.ndarray | None]  # x (n, *event_shape), and labels (n,) if the flow takes them


def shipped_examples(preset: Preset) -> Examples:
    """The test examples in the package, as the preset's flow takes them: x (n, *event_shape) and condition or None."""
    images, labels = data.fixture(preset.dataset["name"])
    return images >> (8 - preset.dataset["bits"]), labels if preset.dataset["labels"] else None


def official_test(preset: Preset, data_dir: str | None = None) -> Examples:
    """The official test split, as `shipped_examples` gives the shipped ones; raises `flowzoo.data.MissingDataError`."""
    return evaluation.arrays(preset.dataset, "test", data_dir=data_dir)
