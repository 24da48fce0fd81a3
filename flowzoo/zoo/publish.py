"""A finished training run becomes a published checkpoint: weights, drawings, measured numbers, provenance."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from flowzoo import data
from flowzoo.cards.plots import is_image, write_plot
from flowzoo.core import random
from flowzoo.core.errors import CheckpointError, PresetError
from flowzoo.core.files import read_json, sha256, write_atomic
from flowzoo.core.layout import file_layout, fingerprint
from flowzoo.hub import store
from flowzoo.hub.presets import json_path, read_preset
from flowzoo.measure import certificate, other_data_set, round_trip
from flowzoo.measure.derived import restated
from flowzoo.measure.examples import Examples, inputs, official_test, shipped_examples
from flowzoo.measure.likelihood import losses
from flowzoo.measure.promises import Certificate, failures
from flowzoo.modalities.image import write_png
from flowzoo.models.flow import Flow
from flowzoo.models.weights import load_weights, save_weights
from flowzoo.record.preset import Preset
from flowzoo.record.recipe import Recipe
from flowzoo.record.schema import PROVENANCE
from flowzoo.training import drawings
from flowzoo.training.model import build

PICTURES = ("samples.png", "interpolations.png")  # the second of flows of images only
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

    The run must be of the preset's family, config, data set and recipe; with `force` the recipe may differ, and the
    one published is the run's.

    Args:
        name: what `flowzoo.load` takes; the preset's file is written anew.
        workdir: folder of a finished `flowzoo.training.run`.
        force: publish an unfinished run, one of another recipe, one that measured worse than what is published, or one
            that does not invert (`bounds.BOUNDS`).
        draws: noise draws per example of a likelihood that is a lower bound; more give a tighter bound, the
            importance-weighted one (Burda et al. 2016), at that many times the cost.
        examples: measure on so many test examples only, for a trial; needs `force`, as the card gets these numbers.
        data_dir: TFDS' folder; TFDS' default if not given.
        progress: show bars, on stderr, if it is a terminal.

    Returns:
        The preset as written.

    Raises:
        PresetError: the run is of another family, config, data set or recipe.
        CheckpointError: the run is not finished, the published checkpoint is better or was measured with other draws
            or on another number of examples, the flow does not invert, or the run's weights don't fit.
        ValueError: `examples` without `force`, or `draws` above 1 of what is no lower bound or is told by one draw.
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
    run, result = read_preset(workdir / "preset.json"), _result(workdir)
    _require_same(preset, run, ("family", "config", "dataset"))
    if not force:
        _require_same(preset, run, ("training",))
    if not force and (result["fixture"] or not result["finished"]):
        raise CheckpointError(
            f"the run in {workdir} is no finished training: {result['stopped']}. Go on with it, or --force."
        )
    flow = build(preset)
    load_weights(flow, workdir / "best.weights.h5")
    x, condition = official_test(preset, data_dir)
    test = x[:examples], None if condition is None else condition[:examples]
    numbers = measured(preset, flow, test, weights=result["best"]["weights"], draws=draws, progress=progress)
    if not force:
        _require_better(preset, numbers["metrics"])
        _require_invertible(preset, numbers["certificate"])
    folder = store.CHECKOUT / preset.name if not str(name).endswith(".json") else store.folder(name)
    write_files(flow, folder, dataset=preset.dataset, history=(workdir / "history.csv").read_bytes())
    revision = preset.revision + preset.trained  # another set of weights under the same name
    preset = dataclasses.replace(preset, recipe_only=None)
    published = recorded(preset, flow, folder, numbers, _provenance(result))
    preset = dataclasses.replace(published, revision=revision, training=run.training)
    preset.write(json_path(name))
    return preset


def measured(
    preset: Preset, flow: Flow, test: Examples, weights: str, *, draws: int = 1, progress: bool = False
) -> dict[str, Any]:
    """Every number of a card.

    Args:
        preset: for the data set and its bits.
        flow: the trained flow.
        test: examples of the official test split.
        weights: which weights these are, "ema" or "raw".
        draws, progress: as in `publish`.

    Returns:
        The preset's `metrics`, `certificate` and, where there is another data set to compare with, `elsewhere`.
    """
    shipped, metric = shipped_examples(preset), preset.likelihood.metric
    if draws > 1 and flow.kind != "lower_bound":
        raise ValueError(f"`draws` must be 1, got {draws}: the likelihood of {preset.name} is no lower bound.")
    values = _likelihoods(preset, flow, test, draws, progress)
    metrics = {metric: _with_protocol(preset, flow, values, draws, "test", weights)}
    for name, restated_values in restated(preset, flow, *test, values).items():
        if draws > 1:
            raise ValueError(f"`draws` must be 1, got {draws}: the card of {preset.name} has {name}, which is of one.")
        metrics[name] = _with_protocol(preset, flow, restated_values, draws, "test", weights)
    if shipped is not None:
        split = "the test images shipped with flowzoo"
        values = _likelihoods(preset, flow, shipped, draws, progress)
        metrics[f"fixture_{metric}"] = _with_protocol(preset, flow, values, draws, split, weights)
    (x, condition), what = inputs(preset, flow)
    error = round_trip.log_det_error(flow, x[:1], None if condition is None else condition[:1], progress=progress)
    note = f"nats, against log |det| of the autodiff Jacobian, the first of the {what}, float32"
    numbers = {"metrics": metrics | {"log_det_error": {"value": error, "note": note}}}
    numbers["certificate"] = certificate.certificate(flow, test)
    others = other_data_set.elsewhere(preset, flow)
    return numbers | ({"elsewhere": others} if others else {})


def write_files(flow: Flow, folder: Path, *, dataset: dict[str, Any], history: bytes) -> None:
    """Write weights, history and `PICTURES`.

    Of images: samples (8 rows at T = 1, then one at each of `COOLER`; a column for each class) and interpolations
    between samples at T = 0.7. Of vectors: what `write_plot` draws.
    """
    save_weights(flow, folder / store.WEIGHTS)
    write_atomic(folder / "history.csv", history)
    if not is_image(flow):
        write_plot(flow, folder / "samples.png", target=data.density(dataset["name"]))
        return
    width, bits = drawings.columns(flow), dataset["bits"]
    seeds = random.row_seeds(0, drawings.ROWS * width).numpy()
    rows = np.concatenate([seeds, *([seeds[:width]] * len(COOLER))])
    temperatures = np.repeat([1.0] * drawings.ROWS + list(COOLER), width)
    images = flow.sample(len(rows), drawings.classes(flow, len(rows)), temperature=temperatures, seed=rows).numpy()
    write_png(folder / "samples.png", images, columns=width, bits=bits)
    write_png(folder / "interpolations.png", drawings.interpolated(flow, 0, 0.7), columns=drawings.STEPS, bits=bits)


def recorded(preset: Preset, flow: Flow, folder: Path, numbers: dict, provenance: dict) -> Preset:
    """The preset with everything that is filled at publication: `measured`'s numbers; the files lie in `folder`."""
    files = [store.WEIGHTS, *(PICTURES if is_image(flow) else PICTURES[:1]), "history.csv"]
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


def _likelihoods(preset: Preset, flow: Flow, examples: Examples, draws: int, progress: bool) -> np.ndarray:
    x, condition = examples
    return preset.likelihood.sign * losses(flow, x, condition, samples=draws, seed=0, progress=progress)


def _with_protocol(
    preset: Preset, flow: Flow, values: np.ndarray, draws: int, split: str, weights: str
) -> dict[str, Any]:
    value, error = round_trip.mean_and_error(values)
    return {
        "value": value,
        "standard_error": error,
        "kind": flow.kind,
        "draws": draws,
        "seed": 0,
        "split": split,
        "examples": len(values),
        "bits": preset.dataset["bits"],
        "temperature": 1.0,
        "weights": weights,
    }


def _result(workdir: Path) -> dict[str, Any]:
    """What a training came to, by its result.json."""
    try:
        return read_json(workdir / "result.json", "best", "finished", "fixture", "stopped", "steps")
    except ValueError as error:
        raise CheckpointError(f"{error} Copy it again, or train on: the end of a training writes it anew.") from error


def _provenance(result: dict[str, Any]) -> dict[str, Any]:
    pace = result["seconds_per_step"] or result["wall_time_seconds"] / result["steps"]
    facts = result | {"seconds_per_step": pace} | {"command": _without_folders(result["command"])}
    if result.get("init_from"):
        facts["init_from"] = result.get("origin") or _origin(Path(result["init_from"]))
    keys = msgspec.structs.fields(PROVENANCE)
    return {key.name: facts[key.name] for key in keys if key.required or facts.get(key.name) is not None}


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
    return Recipe.from_dict(preset.training).to_dict() if key == "training" else getattr(preset, key)


def _require_better(preset: Preset, metrics: dict[str, dict[str, Any]]) -> None:
    if preset.metrics is None:
        return
    stated = preset.likelihood
    before, now = preset.measured, metrics[stated.metric]
    for what, key in (("on the {:,} test examples", "examples"), ("by the {} noise draws per example", "draws")):
        if before[key] != now[key]:
            raise CheckpointError(
                f"{preset.name} must be compared {what.format(before[key])} of its card, got {now[key]:,}. "
                "Pass --force to publish without a comparison."
            )
    old, new = before["value"], now["value"]
    if not stated.sign * new <= stated.sign * old:
        raise CheckpointError(
            f"{preset.name} is published with {old:.4f} {stated.unit}, this run has {new:.4f}. "
            "Pass --force to replace it by a worse one."
        )


def _require_invertible(preset: Preset, found: Certificate) -> None:
    wrong = failures(found)
    if wrong:
        raise CheckpointError(
            f"{preset.name} must invert: {'; '.join(wrong)}. `flowzoo.diagnose` shows which layer doesn't. "
            "Pass --force to publish it all the same."
        )
