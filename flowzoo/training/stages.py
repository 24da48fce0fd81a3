"""`run`: the stages of a preset's training in order, each from the best weights of the one before."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf
from absl import logging

from flowzoo.bijectors.backprop import check_mode
from flowzoo.core.errors import PresetError
from flowzoo.data.requirements import require_dataset
from flowzoo.record.recipe import Recipe, check_limits, recipes
from flowzoo.training import state, trainer
from flowzoo.training.distributed.strategy import connect
from flowzoo.training.folder import WorkFolder
from flowzoo.training.model import options, require_known

if TYPE_CHECKING:
    from flowzoo.record.preset import Preset


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage as run: what `trainer.train` takes of it."""

    preset: Preset
    recipe: Recipe
    folders: list[WorkFolder]
    start: str | os.PathLike | None


def run(
    preset: Preset,
    workdir: str | os.PathLike,
    *,
    max_steps: int | None = None,
    smoke: bool = False,
    deterministic: bool = False,
    save_minutes: float = 5.0,
    max_minutes: float | None = None,
    init_from: str | os.PathLike | None = None,
    backprop: str = "store",
    accumulate: int = 1,
    strategy: str | None = None,
    devices: int | None = None,
    tpu: str | None = None,
) -> trainer.Result:
    """Trains a preset in a work folder, or resumes one that stopped or was killed there.

    The folder then holds preset.json, state/, history.csv, tensorboard/, samples/, interpolations/, best.weights.h5,
    best.json and result.json. Data order and noise are pure functions of (seed, step), so a resumed training ends as an
    uninterrupted one does (with `deterministic`, to the last bit). A training in stages does the last one there and the
    earlier ones in its folders stage-1, stage-2, ..., each a work folder of its own.

    Args:
        preset: a `flowzoo.record.preset.Preset`.
        workdir: the folder; another recipe's folder is refused.
        max_steps: pause at this step, 0 for before the first, counted over all stages; the schedule remains that of
            the recipe. At the end of a stage it pauses before the first step of the next.
        smoke: a few tiny steps of each stage, with the fixture's examples if the data set is absent.
        deterministic: deterministic kernels: same seed, same machine, same bits. Slower; stays on in this process.
        save_minutes: minutes between states.
        max_minutes: pause after this many minutes of this call.
        init_from: weights to start from, with a fresh optimizer: a preset's name, a `.weights.h5` or a work folder.
            They take the place of what the last stage starts from, and the earlier ones are left out.
        backprop: "store", "remat" or "reversible": less memory for more time, see docs/memory.md; the gradients are
            equal to rounding, so another mode may continue the training.
        accumulate: micro-batches that make one batch, for less memory; must divide `batch_size`.
        strategy: "one", "mirrored", "multiworker" or "tpu", see docs/distributed.md; None for the one that `devices` or
            `tpu` implies, else "one". The recipe's batch is what all replicas do together; numbers and states are those
            of one device except for rounding.
        devices, tpu: as in `flowzoo.training.distributed.strategy.connect`.

    Returns:
        The result of the last stage that began, in every process. Only the first one uses the folder.

    Raises:
        NonFiniteLoss: the loss was not finite; the last good state is kept.
        StateError: the folder belongs to another recipe or another process, or its states are unreadable.
        PresetError: the preset's family, config, recipe or data set is wrong; the folder is as it was.
        ValueError: a wrong `max_steps`, `backprop` or `accumulate`, or a strategy without its devices.
        ChiefError, PeerLost: another process failed, or is gone.
        MissingDataError: the data set isn't prepared here (and it's no smoke run).
    """
    check_limits(max_steps=max_steps, save_minutes=save_minutes, max_minutes=max_minutes)
    if init_from is not None and not str(init_from):
        raise ValueError("`init_from` must be a preset or a weight file, got ''. Leave it out to start anew.")
    deadline = time.monotonic() + 60 * max_minutes if max_minutes is not None else math.inf
    stages = planned(preset, Path(workdir), init_from, smoke)
    check_mode(backprop)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    replicas = connect(strategy, devices=devices, tpu=tpu)  # before TensorFlow computes anything
    for stage in stages:
        replicas.require(stage.recipe.batch_size, accumulate)
    how = {"smoke": smoke, "save_minutes": save_minutes, "deadline": deadline}
    how |= {"backprop": backprop, "accumulate": accumulate}
    with replicas.together():
        _, facts = replicas.from_chief(lambda: ({}, {"latest": _latest(stages)}))
        for index in range(facts["latest"], len(stages)):
            stage = stages[index]
            if len(stages) > 1:
                logging.info("Stage %d of %d.", index + 1, len(stages))
            done = sum(before.recipe.steps for before in stages[:index])
            left = None if max_steps is None else max(0, max_steps - done)
            its = (stage.preset, stage.recipe, stage.folders, stage.start)
            result = trainer.train(*its, replicas, max_steps=left, **how)
            if not result.finished:
                break
        return result


def planned(preset: Preset, workdir: Path, init_from: str | os.PathLike | None, smoke: bool) -> list[Stage]:
    """The stages that are to run, in order; raises `PresetError` if the recipe or the config of one is wrong."""
    try:
        asked = recipes(preset.training)
    except (ValueError, TypeError) as error:
        raise PresetError(f"{preset.source}: {error}") from error
    if init_from is not None:
        asked = [dataclasses.replace(asked[-1], start="")]
    if len(asked) > 1:
        require_dataset(preset)  # what the last stage needs, before the first runs for hours
    for recipe in asked:
        require_known(preset, recipe)
    asked = [recipe.smoke() for recipe in asked] if smoke else asked
    whole = dataclasses.replace(preset, training=[recipe.to_dict() for recipe in asked])
    main, stages, start = WorkFolder(workdir, whole, init_from), [], init_from or asked[0].start or None
    for number, recipe in enumerate(asked, 1):
        its, folders = whole, [main]
        if number < len(asked):
            its = _simpler(whole, recipe, number)
            folders = [main, WorkFolder(workdir / f"stage-{number}", its)]
        stages.append(Stage(its, recipe, folders, start))
        start = folders[-1].path
    return stages


def _simpler(preset: Preset, recipe: Recipe, number: int) -> Preset:
    """The preset of an earlier stage, as if it were trained on its own."""
    own = dataclasses.replace(recipe, config={}).to_dict()
    preset = dataclasses.replace(preset, config=preset.config | recipe.config, training=[own])
    try:
        conditioned = options(preset).condition_size > 0
    except PresetError as error:
        raise PresetError(f"{error} (With `training[{number - 1}].config`.)") from error
    return dataclasses.replace(preset, dataset=preset.dataset | {"labels": preset.labelled and conditioned})


def _latest(stages: list[Stage]) -> int:
    """The last stage that has begun, whose start is no longer needed; 0 if none has."""
    for stage in stages:
        for place in stage.folders:
            place.require_same()
    begun = [index for index, stage in enumerate(stages) if state.begun(stage.folders[-1].path / "state")]
    return max(begun, default=0)
