"""Measure a preset, or the best weights of a training of one's own, on a split of its data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowzoo.hub.presets import read_preset
from flowzoo.measure.registry import headline
from flowzoo.models.weights import load_weights
from flowzoo.record.preset import Preset
from flowzoo.training.model import build
from flowzoo.zoo.load import load

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow


def trained(name: str | Path | None, workdir: str | Path | None) -> tuple[Preset, Flow]:
    """A preset and its flow: the published one called `name`, or the best of the training in `workdir`.

    Raises:
        ValueError: both are given, or neither.
        PresetError, CheckpointError: as `flowzoo.load`; of `workdir`, if it has no preset.json or no validation yet.
    """
    if (name is None) == (workdir is None):
        raise ValueError(f"expected a preset or --workdir, got {'neither' if name is None else 'both'}. Pass one.")
    if workdir is None:
        return read_preset(name), load(name)
    preset = read_preset(Path(workdir) / "preset.json")
    flow = build(preset)
    load_weights(flow, Path(workdir) / "best.weights.h5")
    return preset, flow


def evaluate(
    name: str | Path | None = None, workdir: str | Path | None = None, split: str = "test", **how: Any
) -> dict[str, Any]:
    """The headline of `trained(name, workdir)` on a split; `how` are the further arguments of `training.evaluate`."""
    preset, flow = trained(name, workdir)
    return headline(preset).evaluate(flow, preset.dataset, split, **how)
