"""One stage of a training: Keras `fit` by a recipe, which a kill at any moment doesn't harm."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from absl import logging
from PIL import Image

from flowzoo.core import files
from flowzoo.measure import registry
from flowzoo.models.flow import Flow
from flowzoo.record.recipe import Recipe
from flowzoo.training import callbacks, drawings, folder, forensics, machine, state, stopping
from flowzoo.training.distributed import launch
from flowzoo.training.distributed.strategy import Replicas
from flowzoo.training.folder import WorkFolder
from flowzoo.training.model import compiled, initial_weights, origin, start_from, untrained
from flowzoo.training.progress import Progress, write_best, write_history
from flowzoo.training.sources import Sources

if TYPE_CHECKING:
    from flowzoo.record.preset import Preset

IMAGES = 20  # per training, about


@dataclasses.dataclass(frozen=True)
class Result:
    """What a training came to, in the last of its stages that began.

    Attributes:
        flow: the flow with the best weights (uncompiled).
        stopped: "steps" or "early_stopping" (finished), "max_steps", "max_minutes" or "signal" (paused).
        step: optimizer steps done.
        best: step, metric, value and weights ("raw" or "ema") of the best validation.
        history: one row per validation.
    """

    flow: Flow
    stopped: str
    step: int
    best: dict[str, Any]
    history: list[dict[str, Any]]

    @property
    def finished(self) -> bool:
        return self.stopped in ("steps", "early_stopping")


def train(
    preset: Preset,
    recipe: Recipe,
    folders: Sequence[WorkFolder],
    start: str | os.PathLike | None,
    replicas: Replicas,
    *,
    max_steps: int | None,
    smoke: bool,
    save_minutes: float,
    deadline: float,
    backprop: str,
    accumulate: int,
) -> Result:
    """Trains one stage, or resumes it where it stopped or was killed; `training.stages.run` explains the arguments.

    Args:
        preset: with the config of this stage.
        recipe: of this stage, as run.
        folders: those that the stage makes its own; the last is its work folder.
        start: the preset or file to start from; None for new weights.
        replicas: where it runs.
        max_steps: pause at this step of the stage.
        deadline: pause at this time of `time.monotonic`.
        smoke, save_minutes, backprop, accumulate: those of `stages.run`.
    """
    keras.utils.set_random_seed(recipe.seed)
    workdir = folders[-1].path
    with contextlib.ExitStack() as lock:
        # Before the folder is made: a wrong preset leaves no trace.
        training = _Training(workdir, preset, recipe, smoke, replicas)
        training.flow.backprop, training.flow.accumulate = backprop, accumulate

        def begin() -> state.Saved:
            if start is not None and not (folders[0].path / "preset.json").exists():
                initial_weights(start)  # before the folder is made, too
            for place in folders:
                place.path.mkdir(parents=True, exist_ok=True)
                lock.enter_context(folder.alone(place.path))
                place.require_same()  # another process may have come first
            files.remove_leftovers(workdir)
            saved = training.begin(start)
            for place in folders:
                place.claim(training.origin if place is folders[-1] else "")
            return saved

        training.restore(*replicas.from_chief(begin))
        stopped = training.fit(max_steps, save_minutes, deadline)
        return training.conclude(stopped)


class _Training:
    def __init__(self, workdir: Path, preset: Preset, recipe: Recipe, smoke: bool, replicas: Replicas):
        self.workdir, self.preset, self.recipe, self.replicas = workdir, preset, recipe, replicas
        self.validated = registry.validation(preset, recipe.validation)
        self.twin = untrained(preset, recipe)  # on one device: validates, and holds what the chief prepares
        self.sources = Sources(preset, recipe, fixture=smoke)
        self.machine = machine.facts()  # now, as the source may change while it runs
        self.progress = Progress()
        self.origin = ""  # of the weights, if it starts from any here and now
        self.metric_values = []
        with replicas.scope():
            self.flow = compiled(preset, recipe)

    def begin(self, start: str | os.PathLike | None) -> state.Saved:
        """What to start from, read or made by the chief: the saved state if there is one, else new weights."""
        saved = state.load(self.workdir / "state")
        if saved is not None:
            arrays, facts = saved
            self.progress = Progress.restored(facts, state.unpack("best", arrays))
            logging.info("Resuming at step %d of %d.", self.progress.step, self.recipe.steps)
            if self.progress.best:
                write_best(self.workdir, self.twin, self.progress)  # the file may be of a step that was lost
            write_history(self.workdir / "history.csv", self.progress.rows)
            others = {name: value for name, value in arrays.items() if not name.startswith("best/")}
            return others, {"step": self.progress.step, "finished": self.progress.finished}
        if start is not None:
            start_from(self.twin, initial_weights(start))
            self.origin = origin(start)
        if self.recipe.adapt_examples and not int(self.twin.adapted):
            self.twin.adapt(*self.sources.first(self.recipe.adapt_examples), seed=self.recipe.seed)
        logging.info("%s: %d parameters.", self.preset.name, self.twin.count_params())
        return state.pack("model", self.twin.weights), {"step": 0, "finished": ""}

    def restore(self, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
        """Starts from what `begin` gave, in every process."""
        state.assign("model", self.flow.weights, state.unpack("model", arrays))
        slots = state.unpack("optimizer", arrays)
        if slots:
            state.assign("optimizer", self.flow.optimizer.variables, slots)
        self.metric_values = state.unpack("metrics", arrays)
        self.progress.step, self.progress.finished = facts["step"], facts["finished"]

    def save(self) -> None:
        flow, progress = self.flow, self.progress
        arrays = state.pack("model", flow.weights) | state.pack("optimizer", flow.optimizer.variables)
        if bad := state.not_finite(arrays):
            raise callbacks.NonFiniteLoss(progress.step, f"{len(bad)} weights or optimizer slots are not finite")
        progress.note_memory(machine.peak_memory())
        arrays |= state.pack("metrics", flow.metrics_variables) | state.pack("best", progress.best_weights)
        if not self.replicas.chief:  # it was needed for the metrics, of which every replica has its part
            return
        state.save(self.workdir / "state", progress.step, arrays, progress.facts())

    def fit(self, max_steps: int | None, save_minutes: float, deadline: float) -> str:
        """Runs `fit` and returns why it stopped."""
        progress, recipe = self.progress, self.recipe
        last = min(recipe.steps, recipe.steps if max_steps is None else max_steps)
        if progress.finished or progress.step >= last:
            if not progress.step:
                self.save()
            return progress.finished or "max_steps"
        explaining = forensics.explaining(self.flow, self.sources, progress, self.workdir, self.replicas.chief)
        with stopping.Stop(progress, last, deadline, save_minutes, self.replicas) as stop, explaining:
            chief = self.replicas.chief
            terminal = sys.stdout.isatty() and chief
            heartbeat = os.environ.get(launch.HEARTBEAT)
            self.flow.fit(
                self.replicas.deal_out(self.sources.batches(progress.step)),
                epochs=1,
                steps_per_epoch=last - progress.step,
                shuffle=False,
                verbose=int(terminal),
                callbacks=[
                    callbacks.RestoreMetrics(self.metric_values),
                    callbacks.Count(progress, self.machine["hardware"]),
                    callbacks.StopOnNonFinite(progress),
                    *([] if terminal else [callbacks.Report(progress, last)]),
                    *([callbacks.Beat(heartbeat)] if heartbeat else []),
                    callbacks.Validate(
                        progress,
                        recipe,
                        self.twin,
                        self.validated,
                        self.sources.validation,
                        self.workdir,
                        self.show,
                        chief,
                    ),
                    stop,
                    stopping.KeepState(self.save, stop),
                ],
            )
        return stop.reason

    def conclude(self, stopped: str) -> Result:
        """The result, in every process; the twin holds the best weights after."""
        weights, facts = self.replicas.from_chief(lambda: self._concluded(stopped))
        state.assign("best weights", self.twin.weights, state.unpack("best", weights))
        return Result(self.twin, stopped, self.progress.step, facts["best"], facts["history"])

    def _concluded(self, stopped: str) -> state.Saved:
        """Writes result.json."""
        progress = self.progress
        if progress.best is None:  # paused before the first validation, and the state is saved: report where we are
            weights = state.unpack("model", state.load(self.workdir / "state")[0])
            state.assign("model", self.twin.weights, weights)
            value = float(np.mean(self.validated.losses(self.twin, *self.sources.validation)))
            best = {"step": progress.step, "metric": self.validated.column, "value": value, "weights": "raw"}
            shown = dataclasses.replace(progress, best=best, best_weights=weights)
        else:
            shown = progress
        write_best(self.workdir, self.twin, shown)
        progress.note_memory(machine.peak_memory())
        facts = {
            "preset": self.preset.name,
            "seed": self.recipe.seed,
            **folder.start(self.workdir),
            "stopped": stopped,
            "finished": bool(progress.finished),
            "steps": progress.step,
            "best": shown.best,
            "kind": self.twin.kind,
            "validation_examples": len(self.sources.validation[0]),
            "parameters": self.twin.count_params(),
            "wall_time_seconds": round(progress.seconds, 1),
            "seconds_per_step": progress.seconds_per_step,
            **{f"peak_{what}_bytes": peak for what, peak in progress.peaks.items()},
            "fixture": self.sources.fixture is not None,
            "strategy": self.replicas.name,
            "replicas": self.replicas.count,
            "workers": self.replicas.workers,
            "date": time.strftime("%Y-%m-%d"),
            **self.machine,
            "hardware": progress.machines or self.machine["hardware"],
        }
        files.write_atomic(self.workdir / "result.json", json.dumps(facts, indent=2) + "\n")
        logging.info("Stopped by %s at step %d; best %s.", stopped, progress.step, shown.best)
        return state.pack("best", shown.best_weights), {"best": shown.best, "history": progress.rows}

    def show(self, step: int, flow: Flow) -> dict[str, Image.Image]:
        """Writes and returns images by the flow; about `IMAGES` times per training, else none."""
        validations = -(-self.recipe.steps // self.recipe.validate_every)
        every = max(1, validations // IMAGES)
        if len(self.progress.rows) % every and step != self.recipe.steps:
            return {}
        return drawings.write_drawn(flow, self.recipe.seed, self.workdir, f"{step:09d}.png")
