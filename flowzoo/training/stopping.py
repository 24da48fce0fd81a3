"""The last two callbacks of a training: when to stop and when to save, which all processes do at the same step."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import keras
from absl import logging

from flowzoo.training.distributed.strategy import Replicas
from flowzoo.training.progress import Progress


class Stop(keras.callbacks.Callback):
    """Ends the training after the current step: when finished, at `last_step` or a time, at SIGTERM or SIGINT.

    A second signal acts as usual. Also says when a state is due: every `save_minutes` and at the end.

    Args:
        progress: says when the recipe is through.
        last_step: pause there.
        deadline: pause at this time of `time.monotonic()`.
        save_minutes: minutes between states.
        replicas: all processes stop when one of them has a reason, and save together.

    Attributes:
        reason: "steps", "early_stopping", "max_steps", "max_minutes", "signal", or "" while it runs.
        save: whether a state is due.
    """

    def __init__(self, progress: Progress, last_step: int, deadline: float, save_minutes: float, replicas: Replicas):
        super().__init__()
        self.progress, self.last_step, self.deadline = progress, last_step, deadline
        self.every, self.saved, self.replicas = 60 * save_minutes, time.monotonic(), replicas
        self.reason, self.save, self.signalled, self.handlers = "", False, False, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self.handlers = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_):
        self._restore()

    def on_train_batch_end(self, batch, logs=None):
        now, progress = time.monotonic(), self.progress
        early, signalled, late, due = self.replicas.any(
            progress.finished == "early_stopping",  # the chief alone has validated
            self.signalled,
            now >= self.deadline,
            self.replicas.chief and now - self.saved >= self.every,
        )
        if early:
            progress.finished = "early_stopping"
        if progress.finished:
            self.reason = progress.finished
        elif signalled:
            self.reason = "signal"
        elif progress.step >= self.last_step:
            self.reason = "max_steps"
        elif late:
            self.reason = "max_minutes"
        self.save = due or bool(self.reason)
        if self.save:
            self.saved = now
        if self.reason:
            self.model.stop_training = True

    def _note(self, number, _):
        self.signalled = True
        self._restore()
        logging.warning("%s: finishing the step and saving the state.", signal.Signals(number).name)

    def _restore(self):
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        self.handlers = {}


class KeepState(keras.callbacks.Callback):
    """Saves the state when `stop` says so; must be the last callback."""

    def __init__(self, write: Callable[[], None], stop: Stop):
        super().__init__()
        self.write, self.stop = write, stop

    def on_train_batch_end(self, batch, logs=None):
        if self.stop.save:
            self.write()
