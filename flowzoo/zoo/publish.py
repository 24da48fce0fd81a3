"""A finished training run becomes a published checkpoint: weights, drawings, measured numbers, provenance."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from flowzoo import data
from flowzoo.cards import plots
from flowzoo.core import random
from flowzoo.core.errors import CheckpointError, PresetError
from flowzoo.core.files import irregular, read_json, sha256, write_atomic
from flowzoo.core.layout import file_layout, fingerprint
from flowzoo.hub import store
from flowzoo.hub.presets import json_path, read_preset
from flowzoo.measure.examples import official_test, shipped_examples
from flowzoo.measure.likelihood import TEST
from flowzoo.measure.registry import MEASUREMENTS, headline
from flowzoo.measure.shipped_likelihood import SHIPPED
from flowzoo.measure.subject import Subject
from flowzoo.modalities.registry import modality_of
from flowzoo.models.flow import Flow
from flowzoo.models.weights import load_weights, save_weights
from flowzoo.record.preset import Preset
from flowzoo.record.recipe import names_preset, recipes
from flowzoo.record.schema import PROVENANCE
from flowzoo.training import drawings
from flowzoo.training.model import build

SAMPLES, BETWEEN = "samples.png", "interpolations.png"
COOLER = (0.9, 0.8, 0.7, 0.6)  # temperatures of the last rows of samples.png


def publish(
    name: str | Path,
    workdir: str | Path,
    *,
    force: bool = False,
    draws: int = 1,
    examples: int | None = None,
    data_dir: str | None = None,
    progress: bool = False,
) -> Preset:
    """Publish the best weights of a training run under a preset.

    The run must be of the preset's family, config, data set and stages, from the start that they state; with `force`
    the stages may differ, and those published are the run's.

    Args:
        name: what `flowzoo.load` takes; the preset's file is written anew.
        workdir: folder of a finished `flowzoo.training.run`.
        force: publish an unfinished run, one of another recipe, one that measured worse than what is published, or one
            that is beyond the bounds of a measurement, such as one that does not invert.
        draws: noise draws per example of a likelihood that is a lower bound; more give a tighter bound, the
            importance-weighted one (Burda et al. 2016), at that many times the cost.
        examples: measure on this many test examples only, for a trial; needs `force`, as the card gets these numbers.
        data_dir: TFDS' folder; TFDS' default if not given.
        progress: show bars, on stderr, if it is a terminal.

    Returns:
        The preset as written.

    Raises:
        PresetError: the run is of another family, config, data set or recipe.
        CheckpointError: the run is not finished, the published checkpoint is better or was measured with other draws
            or on another number of examples, the flow does not invert, or the run's weights don't fit.
        ValueError: `examples` without `force`, or `draws` above 1 of what is not a lower bound or is of one draw.
    """
    if examples is not None and not force:
        raise ValueError(
            f"`examples` must be None without `force`, got {examples}: the numbers of so few would replace the card's. "
            "Leave out --examples, or pass --force."
        )
    if examples is not None and examples < 2:
        raise ValueError(f"`examples` must be at least 2, which have a standard error, got {examples}.")
    if "@" in str(name) and not str(name).endswith(".json"):
        raise PresetError(f"a preset is published by its name alone, got {name!r}: the next revision follows.")
    workdir, preset = Path(workdir), read_preset(name)
    run, result, history = _run(workdir), _result(workdir), _history(workdir)
    run = _with_start(run, result)
    _require_same(preset, run, ("family", "config", "dataset"))
    if not force:
        _require_same(preset, run, ("training",))
        _require_recorded(run, result)
    if not force and (result["fixture"] or not result["finished"]):
        raise CheckpointError(
            f"the run in {workdir} is not a finished training: {result['stopped']}. Resume it, or --force."
        )
    flow = build(preset)
    load_weights(flow, workdir / "best.weights.h5")
    x, condition = official_test(preset, data_dir)
    splits = {TEST: (x[:examples], flow.condition.rows(condition, slice(examples)))}
    if (shipped := shipped_examples(preset)) is not None:
        splits[SHIPPED] = shipped
    how = {"weights": result["best"]["weights"], "draws": draws, "progress": progress, "data_dir": data_dir}
    numbers = measured(Subject(preset, flow, splits, **how))
    if not force:
        _require_better(preset, numbers)
        _require_sound(preset, numbers)
    folder = store.CHECKOUT / preset.name if not str(name).endswith(".json") else store.folder(name)
    write_files(flow, folder, dataset=preset.dataset, history=history)
    revision = preset.revision + preset.trained  # another set of weights under the same name
    preset = dataclasses.replace(preset, recipe_only=None)
    published = recorded(preset, flow, folder, numbers, _provenance(result))
    preset = dataclasses.replace(published, revision=revision, training=run.training)
    preset.write(json_path(name))
    return preset


def measured(subject: Subject) -> dict[str, Any]:
    """Every number of a card.

    Args:
        subject: the trained flow, with the official test split and the shipped examples, if there are any.

    Returns:
        The preset's `metrics`, and its sections, such as `certificate`.
    """
    preset, draws, numbers = subject.preset, subject.draws, {"metrics": {}}
    if draws > 1 and subject.flow.kind != "lower_bound":
        raise ValueError(f"`draws` must be 1, got {draws}: the likelihood of {preset.name} is not a lower bound.")
    for measurement in MEASUREMENTS:
        if not measurement.applies(subject):
            continue
        if draws > 1 and measurement.one_draw:
            raise ValueError(
                f"`draws` must be 1, got {draws}: the card of {preset.name} has {measurement.name}, which is of one."
            )
        entry = measurement.recorded(measurement.measure(subject))
        numbers |= {measurement.section: entry} if measurement.section else {}
        numbers["metrics"] |= {} if measurement.section else {measurement.name: entry}
    return numbers


def write_files(flow: Flow, folder: Path, *, dataset: dict[str, Any], history: bytes) -> None:
    """Write weights, history, and samples as images and sound.

    Of images: samples (8 rows at T = 1, then one at each of `COOLER`; a column for each class) and interpolations
    between samples at T = 0.7. Of anything else what `write_plot` draws, of audio also as a file of sound.
    """
    save_weights(flow, folder / store.WEIGHTS)
    write_atomic(folder / "history.csv", history)
    space, kind = flow.x_space, modality_of(flow.x_space)
    if not kind.blends:
        _, *sounds = _shown(flow)
        plots.write_plot(flow, folder / SAMPLES, target=data.density(dataset["name"]))
        for name in sounds:
            kind.write(folder / name, plots.drawn(flow), space)
        return
    width = drawings.columns(flow)
    seeds = random.row_seeds(0, drawings.ROWS * width).numpy()
    rows = np.concatenate([seeds, *([seeds[:width]] * len(COOLER))])
    temperatures = np.repeat([1.0] * drawings.ROWS + list(COOLER), width)
    images = flow.sample(len(rows), drawings.labels(flow, len(rows)), temperature=temperatures, seed=rows).numpy()
    kind.write(folder / SAMPLES, images, space, width)
    kind.write(folder / BETWEEN, drawings.interpolated(flow, 0, 0.7), space, drawings.STEPS)


def _shown(flow: Flow) -> list[str]:
    """The files that show samples, or let them be heard."""
    kind = modality_of(flow.x_space)
    second = BETWEEN if kind.blends else kind.written and f"samples{kind.written}"
    return [SAMPLES, second] if second else [SAMPLES]


def recorded(preset: Preset, flow: Flow, folder: Path, numbers: dict, provenance: dict) -> Preset:
    """The preset with everything that is filled at publication: `measured`'s numbers; the files lie in `folder`."""
    files = [store.WEIGHTS, *_shown(flow), "history.csv"]
    return Preset.from_dict(
        preset.to_dict()
        | {
            "parameters": int(flow.count_params()),
            "fingerprint": fingerprint(file_layout(folder / store.WEIGHTS)),
            "files": {
                name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in files
            },
            "provenance": provenance,
        }
        | numbers
    )


def _result(workdir: Path) -> dict[str, Any]:
    """What a training came to, by its result.json."""
    try:
        return read_json(workdir / "result.json", "best", "finished", "fixture", "stopped", "steps")
    except ValueError as error:
        raise CheckpointError(f"{error} Copy it again, or train on: the end of a training writes it anew.") from error


def _run(workdir: Path) -> Preset:
    """What was trained, by the preset.json of a training."""
    try:
        return read_preset(workdir / "preset.json")
    except PresetError as error:
        raise PresetError(f"in {workdir}: {error}") from error


def _history(workdir: Path) -> bytes:
    """The curves of a training, by its history.csv."""
    path = workdir / "history.csv"
    if wrong := irregular(path):
        raise CheckpointError(f"{path} {wrong}. Copy it again, or train on: the end of a training writes it anew.")
    return path.read_bytes()


def _provenance(result: dict[str, Any]) -> dict[str, Any]:
    pace = result["seconds_per_step"] or result["wall_time_seconds"] / result["steps"]
    facts = result | {"seconds_per_step": pace} | {"command": _without_folders(result["command"])}
    if start := _start(result):
        facts["init_from"] = start
    keys = msgspec.structs.fields(PROVENANCE)
    return {key.name: facts[key.name] for key in keys if key.required or facts.get(key.name) is not None}


def _start(result: dict[str, Any]) -> str:
    """What the last stage started from, as provenance states it; "" for new weights."""
    return result.get("origin") or (_origin(Path(result["init_from"])) if result.get("init_from") else "")


def _with_start(run: Preset, result: dict[str, Any]) -> Preset:
    """The run with the preset from which its command (`--init_from`) let it start."""
    start = _start(result).partition(", sha256 ")[0]
    if not result.get("init_from") or not names_preset(start):
        return run
    first, *later = run.training
    return dataclasses.replace(run, training=[first | {"start": start}, *later])


def _require_recorded(run: Preset, result: dict[str, Any]) -> None:
    if result.get("init_from") and not run.training[0].get("start"):
        raise PresetError(
            f"the run must start from a preset or from what its stages made, got --init_from={result['init_from']}, "
            "which no commit has. Make the recipe of these weights the first stage and train in stages "
            "(docs/training.md), or pass --force."
        )


def _origin(init_from: Path) -> str:
    """Of a training from before it noted this itself: a preset's name as it is; of a file its name and hash."""
    file = init_from / "best.weights.h5" if init_from.is_dir() else init_from
    return f"{file.name}, sha256 {sha256(file)}" if file.is_file() else init_from.name


def _without_folders(command: str) -> str:
    command = re.sub(r"--tpu[= ]\S+", "--tpu=NAME", command)
    command = re.sub(r"--workdir[= ]\S+", "--workdir=DIR", command)  # paths of this machine
    return re.sub(r"--(preset|init_from)[= ]\S*/", r"--\1=", command)


def _require_same(preset: Preset, run: Preset, keys: tuple[str, ...]) -> None:
    for key in keys:
        if _whole(preset, key) != _whole(run, key):
            raise PresetError(
                f"the run's `{key}` must be the preset's {getattr(preset, key)}, got {getattr(run, key)}. "
                f"Correct {preset.name}.json or train it again."
            )


def _whole(preset: Preset, key: str) -> Any:
    return [recipe.to_dict() for recipe in recipes(preset.training)] if key == "training" else getattr(preset, key)


def _require_better(preset: Preset, numbers: dict[str, Any]) -> None:
    if preset.metrics is None:
        return
    first = headline(preset)
    before, now = first.stated(preset), numbers["metrics"][first.name]
    for what, key in (("on the {:,} test examples", "examples"), ("by the {} noise draws per example", "draws")):
        if before[key] != now[key]:
            raise CheckpointError(
                f"{preset.name} must be compared {what.format(before[key])} of its card, got {now[key]:,}. "
                "Pass --force to publish without a comparison."
            )
    old, new = before["value"], now["value"]
    if not (new <= old if first.lower_is_better else new >= old):
        raise CheckpointError(
            f"{preset.name} is published with {old:.4f} {first.unit}, this run has {new:.4f}. "
            "Pass --force to replace it by a worse one."
        )


def _require_sound(preset: Preset, numbers: dict[str, Any]) -> None:
    for measurement in MEASUREMENTS:
        entry = (numbers if measurement.section else numbers["metrics"]).get(measurement.section or measurement.name)
        if wrong := measurement.broken(entry) if entry else []:
            raise CheckpointError(
                f"{preset.name} {measurement.must}: {'; '.join(wrong)}. {measurement.advice} "
                "Pass --force to publish it all the same."
            )
