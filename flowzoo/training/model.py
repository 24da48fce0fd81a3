"""The flow of a preset, and the refusal of a preset whose parts are wrong or do not fit each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from absl import logging

from flowzoo import data
from flowzoo.core.errors import CheckpointError, PresetError, closest
from flowzoo.core.files import irregular, read_json, sha256
from flowzoo.core.limits import counting
from flowzoo.families import FAMILIES
from flowzoo.families.family import Family
from flowzoo.families.options import Options, fields, meant
from flowzoo.measure.registry import validation
from flowzoo.models.flow import Flow
from flowzoo.models.weights import load_simpler, load_weights
from flowzoo.objectives.registry import LIKELIHOOD, check_objective
from flowzoo.record.recipe import Recipe
from flowzoo.training.optimizer import optimizer

if TYPE_CHECKING:
    from flowzoo.record.preset import Preset


def build(preset: Preset, conditioner_dtype: str | None = None) -> Flow:
    """A new flow with a preset's config.

    Args:
        preset: the preset; its `family`, `config` and `dataset` are used.
        conditioner_dtype: as in `flowzoo.load`; None takes the config's.

    Raises:
        PresetError: an unknown family or config key (the message names the nearest), a config that the family refuses,
            a `dataset` of other bits or labels than the flow's, or a flow with a condition that no data set has.
    """
    family, override = _family(preset), {} if conditioner_dtype is None else {"conditioner_dtype": conditioner_dtype}
    with _refusing(preset), counting():
        flow = family(**(preset.config | override))  # as the config says, without `create`'s defaults
    _require_fitting(preset, flow)
    return flow


def options(preset: Preset) -> Options:
    """The options that a preset's config gives its family, checked one by one; `build` also checks that they fit.

    Raises:
        PresetError: as `build` raises it.
    """
    family = _family(preset)
    with _refusing(preset):
        return family.Options(**preset.config)


def _family(preset: Preset) -> type[Family]:
    name = preset.family
    if name not in FAMILIES:
        raise PresetError(
            f"{preset.source}: `family` must be one of {sorted(FAMILIES)}, got {name!r}. "
            f"{closest(name, FAMILIES)}".rstrip()
        )
    for key in (key for key in preset.config if key not in fields(FAMILIES[name].Options)):
        raise PresetError(
            f"{preset.source}: unknown key `config.{key}` for the family {name!r}. "
            f"{meant(key, FAMILIES[name].Options, preset.config)}"
        )
    return FAMILIES[name]


@contextlib.contextmanager
def _refusing(preset: Preset) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        raise PresetError(f"{preset.source}: the family {preset.family!r} refuses `config`: {error}") from error


def compiled(preset: Preset, recipe: Recipe) -> Flow:
    """A new flow, ready to be trained by a recipe; to be called in the scope of the strategy."""
    flow = untrained(preset, recipe)
    flow.noise_seed = recipe.seed
    flow.compile(optimizer=optimizer(recipe))
    flow.optimizer.build(flow.trainable_variables)  # a saved state needs the slots
    return flow


def untrained(preset: Preset, recipe: Recipe) -> Flow:
    """A new flow that computes as in a training by a recipe."""
    require_known(preset, recipe)
    flow = build(preset, recipe.conditioner_dtype or None)
    if recipe.objective:
        flow.training_objective = recipe.objective
    flow.xla, flow.adapts = recipe.jit_compile, False  # `adapt_examples` decides instead
    return flow


def require_known(preset: Preset, recipe: Recipe) -> None:
    """Refuses a recipe whose objective or validation is not one that flowzoo has for this preset."""
    validation(preset, recipe.validation)
    try:
        check_objective(recipe.objective or LIKELIHOOD, "training.objective")
    except ValueError as error:
        raise PresetError(f"{preset.source}: {error}") from error


def initial_weights(init_from: str | os.PathLike) -> Path:
    """The weight file that a training starts from.

    Args:
        init_from: the path of a `.weights.h5`, a work folder (its best weights), or what `flowzoo.load` takes: a
            preset, whose file is checked.

    Raises:
        PresetError: it is none of these.
        CheckpointError: the preset has no weights, or the file is missing or damaged.
    """
    return _initial(init_from)[0]


def origin(init_from: str | os.PathLike) -> str:
    """What a training starts from, for its card: preset and revision, or the file's name, and the file's sha256.

    The arguments and errors are those of `initial_weights`.
    """
    path, what = _initial(init_from)
    return f"{what}, sha256 {sha256(path)}"


def _training_of(workdir: Path) -> str:
    """Of which training a work folder's best weights are; "" if it is not a work folder."""
    result = workdir / "result.json"
    if not result.is_file():
        return ""
    try:
        facts = read_json(result, "preset", "steps")
    except ValueError as error:
        raise CheckpointError(f"{error} Copy it again, or remove it; `init_from` needs the weights only.") from error
    start = (facts.get("origin") or "new weights").partition(", sha256 ")[0]
    return f" of {facts['preset']} after {facts['steps']:,} steps from {start}"


def _initial(init_from: str | os.PathLike) -> tuple[Path, str]:
    path = Path(init_from)
    path = path / "best.weights.h5" if path.is_dir() and str(init_from) else path
    if path.suffix == ".h5":
        if wrong := irregular(path):
            raise CheckpointError(f"`init_from` must be a preset, a weight file or a work folder; {path} {wrong}.")
        if not path.is_file():
            raise CheckpointError(
                f"`init_from` must be a preset, a weight file or a work folder; no file is at {path}."
            )
        return path, path.name + _training_of(path.parent)
    from flowzoo.hub import store
    from flowzoo.hub.presets import read_preset

    try:
        preset = read_preset(init_from)
    except PresetError as error:
        raise PresetError(
            "`init_from` must be the name of a preset or the path of a .weights.h5 file, got "
            f"{str(init_from)!r}: {error}"
        ) from error
    return store.checked_file(preset, store.folder(init_from)), f"{preset.name}@{preset.revision}"


def start_from(flow: Flow, path: Path) -> None:
    """Loads the weights that a training starts from: the flow's own, or those of a simpler one.

    Raises:
        CheckpointError: the file fits neither; the message compares it with the flow itself.
    """
    try:
        load_weights(flow, path)
    except CheckpointError:
        with contextlib.suppress(CheckpointError):
            load_simpler(flow, path)
            logging.info("%s is of a simpler flow: the parts that it lacks start anew.", path)
            return
        raise


def _require_fitting(preset: Preset, flow: Flow) -> None:
    if preset.depth != flow.x_space.depth:
        raise PresetError(
            f"{preset.source}: `dataset.bits` must be the {flow.x_space.depth} of the flow's config (0 for continuous "
            f"data), got {preset.depth}. Correct the one or the other."
        )
    taken = flow.condition
    if (taken.labels or not taken) and preset.labelled != bool(taken):
        raise PresetError(
            f"{preset.source}: `dataset.labels` must be {str(bool(taken)).lower()} for a flow with {taken.labels} "
            f"classes, got {str(preset.labelled).lower()}. Correct it or `config.classes`."
        )
    if preset.dataset["name"] not in data.names() or taken == (given := data.spaces(preset.dataset)[1]):
        return  # an unknown data set is refused where it is read
    known = ", ".join(data.spec(preset.dataset["name"]).conditions) or "no condition"
    raise PresetError(
        f"{preset.source}: `config` must give a flow that is conditioned on what `dataset` asks for, "
        f"{given.described()}, got {taken.described()}. The data set has {known}. Correct the one or the other, or "
        "make such a flow by `flowzoo.create` and `fit` it on your own data."
    )
