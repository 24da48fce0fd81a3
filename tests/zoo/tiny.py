"""A tiny published preset in a temporary folder, and the finished run that it came from."""

import json
import shutil
from pathlib import Path

import numpy as np

from flowzoo.measure.examples import shipped_examples
from flowzoo.measure.likelihood import TEST
from flowzoo.measure.shipped_likelihood import SHIPPED
from flowzoo.measure.subject import Subject
from flowzoo.models.flow import Flow
from flowzoo.record.preset import Preset
from flowzoo.training.model import build
from flowzoo.zoo.publish import measured, recorded, write_files
from tests.record import records

CONFIG = {"event_shape": [28, 28, 1], "bits": 8, "levels": 2, "depth": 1, "hidden": 4, "seed": 0}


def random_flow(preset: Preset, scale: float = 0.05) -> Flow:
    """The preset's flow with seeded random weights: zero-initialised heads would hide mistakes."""
    flow, noise = build(preset), np.random.default_rng(0)
    for weight in flow.trainable_weights:
        weight.assign_add(scale * noise.standard_normal(weight.shape).astype("float32"))
    return flow


def publish(folder: Path, **config) -> Path:
    """Write `<folder>/tiny.json` and `<folder>/tiny/`; returns the path of the former."""
    preset = Preset.from_dict(records.untrained() | {"config": CONFIG | config})
    flow = random_flow(preset)
    x, condition = shipped_examples(preset)
    splits = {TEST: (x[:64], condition), SHIPPED: (x, condition)}
    numbers = measured(Subject(preset, flow, splits, weights="raw"))
    write_files(flow, folder / "tiny", dataset=preset.dataset, history=b"step,loss\n")
    recorded(preset, flow, folder / "tiny", numbers, records.published()["provenance"]).write(folder / "tiny.json")
    return folder / "tiny.json"


def copy(path: Path, folder: Path) -> Path:
    """Copy a published preset with its files; returns the path of the copy's JSON."""
    shutil.copytree(path.with_suffix(""), folder / path.stem)
    return Path(shutil.copy(path, folder))


def edit(path: Path, change) -> Path:
    """Apply `change` to the record in a preset's JSON."""
    record = json.loads(path.read_text())
    change(record)
    return records.write(path, record)


def finished_run(folder: Path, preset: Preset, scale: float = 0.05, **changes) -> Path:
    """A workdir as `flowzoo.training.run` leaves it; `changes` go to its result."""
    folder.mkdir()
    preset.write(folder / "preset.json")
    random_flow(preset, scale).save_weights(folder / "best.weights.h5")
    (folder / "history.csv").write_bytes(b"step,loss\n")
    result = {"stopped": "steps", "finished": True, "fixture": False, "best": {"weights": "ema"}} | changes
    (folder / "result.json").write_text(json.dumps(records.published()["provenance"] | result))
    return folder
