"""Examples for the checks of a preset: the official test split, the few that are shipped, or samples of the flow."""

import numpy as np

from flowzoo import data
from flowzoo.measure import likelihood
from flowzoo.models.flow import Flow
from flowzoo.record.preset import Preset

Examples = tuple[np.ndarray, np.ndarray | None]  # x (n, *event_shape), and labels (n,) if the flow takes them

SAMPLES, TEMPERATURE = 64, 0.7  # of `inputs` where nothing is shipped


def shipped_examples(preset: Preset) -> Examples | None:
    """The test examples in the package, as the preset's flow takes them: x (n, *event_shape) and condition or None.

    None instead of both if the package has none, as of data sets whose images may not be shipped.
    """
    if not data.spec(preset.dataset["name"]).shipped:
        return None
    images, labels = data.fixture(preset.dataset["name"])
    return images >> (8 - preset.dataset["bits"]), labels if preset.dataset["labels"] else None


def inputs(preset: Preset, flow: Flow) -> tuple[Examples, str]:
    """Examples for checks that hold of any: the shipped ones, else the flow's own samples; and what they are."""
    shipped = shipped_examples(preset)
    if shipped is not None:
        return shipped, "shipped test images"
    condition = np.arange(SAMPLES, dtype=np.int32) % flow.classes if flow.classes else None
    x = flow.sample(SAMPLES, condition, temperature=TEMPERATURE, seed=0).numpy()
    return (x, condition), f"samples of the flow at T = {TEMPERATURE:g}"


def official_test(preset: Preset, data_dir: str | None = None) -> Examples:
    """The official test split, as `shipped_examples` gives the shipped ones; raises `flowzoo.data.MissingDataError`."""
    return likelihood.arrays(preset.dataset, "test", data_dir=data_dir)
