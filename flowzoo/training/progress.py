"""Progress: what a training has come to, beside its weights; kept in the state and shown in the work folder."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from flowzoo import files
from flowzoo.flows import Flow
from flowzoo.training import machine, state


@dataclasses.dataclass
class Progress:
    """Counters, history and the best weights so far.

    Attributes:
        step: optimizer steps done.
        seconds: wall time, over all processes.
        step_seconds, timed_steps: time inside steps, without the first step of a process, which compiles.
        peaks: most bytes of memory held at once by any of the processes, as `machine.peak_memory` names them.
        rows: the history, one row per validation.
        best: step, value, metric and weights ("raw" or "ema") of the best validation; None before the first.
        best_weights: the values of the flow's weights there.
        wait: validations since the best.
        finished: "steps" or "early_stopping" once the recipe is through, else "".
    """

    step: int = 0
    seconds: float = 0.0
    step_seconds: float = 0.0
    timed_steps: int = 0
    peaks: dict[str, int] = dataclasses.field(default_factory=dict)
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    best: dict[str, Any] | None = None
    best_weights: list[np.ndarray] = dataclasses.field(default_factory=list)
    wait: int = 0
    finished: str = ""

    def facts(self) -> dict[str, Any]:
        """All but the weights, for JSON."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("step", "best_weights")
        }

    @classmethod
    def restored(cls, facts: dict[str, Any], best_weights: list[np.ndarray]) -> Progress:
        """The progress of a saved state; facts of other versions of flowzoo are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(best_weights=best_weights, **{key: value for key, value in facts.items() if key in known})

    def note_memory(self) -> None:
        """Brings `peaks` up to date."""
        self.peaks |= {what: max(peak, self.peaks.get(what, 0)) for what, peak in machine.peak_memory().items()}

    @property
    def seconds_per_step(self) -> float | None:
        return self.step_seconds / self.timed_steps if self.timed_steps else None


def write_history(path: str | Path, rows: list[dict[str, Any]]) -> None:
    """Writes the history as CSV, all or nothing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["step"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_atomic(path, text.getvalue())


def write_best(workdir: Path, flow: Flow, progress: Progress) -> None:
    """Writes best.weights.h5 and best.json, each all or nothing.

    Args:
        workdir: the work folder.
        flow: an uncompiled flow (a compiled one would add its optimizer to the file); holds the best weights after.
        progress: has the best weights.
    """
    state.assign("best weights", flow.weights, progress.best_weights)
    with files.atomic(workdir / "best.weights.h5", suffix=".weights.h5") as file:
        flow.save_weights(file.name)
    files.write_atomic(workdir / "best.json", json.dumps(progress.best, indent=2) + "\n")
