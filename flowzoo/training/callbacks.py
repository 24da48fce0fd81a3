"""The callbacks of a training in the order in which they are called: count, check, log, validate; and `stopping`'s.

The whole training is one Keras epoch, so that a restart in the middle needs no special case; what others do
at the end of an epoch happens here every `validate_every` steps.

Of several processes the chief alone validates and writes.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import logging
from PIL import Image

from flowzoo.core.errors import NonFiniteError
from flowzoo.measure.measurement import Measurement
from flowzoo.models.flow import Flow
from flowzoo.record.recipe import Recipe
from flowzoo.training import machine, state
from flowzoo.training.progress import Progress, write_best, write_history


class NonFiniteLoss(NonFiniteError):
    """The loss, a gradient or a weight is not a finite number.

    Args:
        step: the step (from 1) at which it was seen.
        what: what is not finite.
        found: where it came from, and where the batch is.
    """

    def __init__(self, step: int, what: str, found: str = ""):
        super().__init__(
            f"{what} at step {step}{found and f': {found}'}. The last state written is still good: lower the learning "
            "rate or `clip_norm`, or raise `warmup_steps`, and start again in a new --workdir (--init_from takes over "
            "weights)."
        )
        self.step = step


class RestoreMetrics(keras.callbacks.Callback):
    """Puts the running means back that `fit` resets when it begins."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_begin(self, epoch, logs=None):
        if len(self.values) == len(self.model.metrics_variables):  # other versions may have other metrics
            state.assign("metrics", self.model.metrics_variables, self.values)


class Count(keras.callbacks.Callback):
    """Counts steps, on the machine of this name, and time."""

    def __init__(self, progress: Progress, hardware: str):
        super().__init__()
        self.progress, self.hardware, self.warm = progress, hardware, False

    def on_train_begin(self, logs=None):
        self.before = time.monotonic() - self.progress.seconds

    def on_train_batch_begin(self, batch, logs=None):
        self.begin = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        now, progress = time.monotonic(), self.progress
        progress.note_steps(self.hardware, now - self.begin if self.warm else None)
        progress.seconds = now - self.before
        self.warm = True


class StopOnNonFinite(keras.callbacks.Callback):
    """Raises `NonFiniteLoss` at the first step whose loss is NaN or infinite: the logged mean keeps either.

    Where the check in the graph works, it comes first.
    """

    def __init__(self, progress: Progress):
        super().__init__()
        self.progress = progress

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise NonFiniteLoss(self.progress.step, f"The loss is {logs['loss']}")


class Beat(keras.callbacks.Callback):
    """Touches a file at each step: the launcher's sign of life."""

    def __init__(self, path: str | os.PathLike):
        super().__init__()
        self.path = Path(path)

    def on_train_begin(self, logs=None):
        self.path.touch()

    def on_train_batch_end(self, batch, logs=None):
        self.path.touch()


class Report(keras.callbacks.Callback):
    """Logs a line a minute with what the progress bar shows on a terminal."""

    def __init__(self, progress: Progress, last_step: int, every: float = 60.0):
        super().__init__()
        self.progress, self.last_step, self.every = progress, last_step, every
        self.last = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        progress, now = self.progress, time.monotonic()
        if now - self.last >= self.every and progress.seconds_per_step:
            self.last, pace = now, progress.seconds_per_step
            hours = (self.last_step - progress.step) * pace / 3600
            shown = " | ".join(f"{name} {value:.5g}" for name, value in logs.items())
            logging.info(
                "step %d of %d | %s | %.3g s/step | %.1f h left", progress.step, self.last_step, shown, pace, hours
            )


class Validate(keras.callbacks.Callback):
    """Every `validate_every` steps and at the last: measures raw and averaged weights, keeps the best, writes history.

    Args:
        progress: updated in place.
        recipe: the recipe.
        twin: an uncompiled flow like the one in training; weights are tried in it.
        validated: what is measured, and picks the best weights.
        validation: x and condition or None.
        workdir: the work folder.
        show: called with (step, twin) after a validation, the twin holding the better weights; gives images by name.
        chief: whether to validate and write; if not, it only takes part in reading and resetting the running means.
    """

    def __init__(
        self,
        progress: Progress,
        recipe: Recipe,
        twin: Flow,
        validated: Measurement,
        validation: tuple[np.ndarray, np.ndarray | None],
        workdir: Path,
        show: Callable[[int, Flow], Mapping[str, Image.Image]],
        chief: bool = True,
    ):
        super().__init__()
        self.progress, self.recipe, self.twin, self.validation = progress, recipe, twin, validation
        self.validated = validated
        self.workdir, self.show, self.chief = workdir, show, chief
        self.writer = tf.summary.create_file_writer(str(workdir / "tensorboard")) if chief else None

    def on_train_batch_end(self, batch, logs=None):
        step = self.progress.step
        validating = step % self.recipe.validate_every == 0 or step == self.recipe.steps
        if not validating and step % 50:
            return
        logs = self.model.get_metrics_result()  # over all rows; `logs` has the mean of the replicas' means
        if self.chief and step % 50 == 0:
            self._summarize({"loss": logs["loss"], "learning_rate": self._learning_rate()})
        if validating:
            if self.chief:
                self.validate(logs)
                self.writer.flush()
            self.model.reset_metrics()  # the next row has the mean from here on
            if step == self.recipe.steps:
                self.progress.finished = "steps"
            elif self.recipe.patience and self.progress.wait >= self.recipe.patience:
                self.progress.finished = "early_stopping"
                logging.info("No better validation in %d: stopping early.", self.progress.wait)

    def validate(self, logs: Mapping[str, float]) -> None:
        """One validation."""
        progress = self.progress
        candidates = self._candidates()
        values = {}
        for name, weights in candidates.items():
            _set(self.twin, weights)
            values[name] = float(np.mean(self.validated.losses(self.twin, *self.validation)))
        which, better = progress.note_validation(self.validated.column, logs, self._learning_rate(), values)
        _set(self.twin, candidates[which])
        if better:
            progress.best_weights = candidates[which]
            write_best(self.workdir, self.twin, progress)
        write_history(self.workdir / "history.csv", progress.rows)
        row = progress.rows[-1]
        self._summarize({key: value for key, value in row.items() if key not in ("step", "loss", "learning_rate")})
        logging.info(" | ".join(f"{key} {value:.6g}" for key, value in row.items()))
        images = self.show(progress.step, self.twin)
        progress.note_memory(machine.peak_memory())
        self._summarize({f"peak_{what}_bytes": peak for what, peak in progress.peaks.items()})
        with self.writer.as_default(step=progress.step):
            for name, image in images.items():
                tf.summary.image(name, np.atleast_3d(image)[None])

    def _candidates(self) -> dict[str, list[np.ndarray]]:
        raw = [np.array(v) for v in self.model.weights]
        if not self.recipe.ema:
            return {"raw": raw}
        averages = self.model.optimizer._model_variables_moving_average  # Keras' own SwapEMAWeights reads it, too
        mean_of = {id(v): mean for v, mean in zip(self.model.trainable_variables, averages, strict=True)}
        return {"raw": raw, "ema": [np.array(mean_of.get(id(v), v)) for v in self.model.weights]}

    def _learning_rate(self) -> float:
        return float(self.model.optimizer.learning_rate)

    def _summarize(self, values: dict[str, float]) -> None:
        with self.writer.as_default(step=self.progress.step):
            for name, value in values.items():
                tf.summary.scalar(name, value)


def _set(flow: Flow, values: list[np.ndarray]) -> None:
    for variable, value in zip(flow.weights, values, strict=True):
        variable.assign(value)
