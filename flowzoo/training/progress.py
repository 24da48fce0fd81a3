"""Progress: how far a training has come, apart from its weights; kept in the state, shown in the work folder."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flowzoo.core import files
from flowzoo.training import state

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow  # `offload` uses this module where there is no TensorFlow


@dataclasses.dataclass
class Progress:
    """Counters, history and the best weights so far.

    Attributes:
        step: optimizer steps done.
        seconds: wall time, over all processes.
        step_seconds, timed_steps: time inside steps, without the first step of a process, which compiles.
        hardware: steps on each machine, by its name.
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
    hardware: dict[str, int] = dataclasses.field(default_factory=dict)
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

    def note_steps(self, hardware: str, seconds: float | None, count: int = 1) -> None:
        """Counts steps that were done on the machine of this name, and their time; None where they compiled."""
        self.step += count
        self.hardware[hardware] = self.hardware.get(hardware, 0) + count
        if seconds is not None:
            self.step_seconds += seconds
            self.timed_steps += count

    def note_memory(self, peaks: Mapping[str, int]) -> None:
        """Brings `peaks` up to date with what `machine.peak_memory` says."""
        self.peaks |= {what: max(peak, self.peaks.get(what, 0)) for what, peak in peaks.items()}

    def note_validation(
        self, metric: str, logs: Mapping[str, float], learning_rate: float, values: Mapping[str, float]
    ) -> tuple[str, bool]:
        """Adds a row to the history and, if it is better, makes it the best; the weights are the caller's to keep.

        Args:
            metric: what `values` are, lower is better.
            logs: the running means of the training.
            learning_rate: of the next step.
            values: of the "raw" weights, and of "ema" where they are averaged.

        Returns:
            Which of `values` is the better one, and whether it is the best so far.
        """
        row = {"step": self.step, "seconds": round(self.seconds, 1), "loss": float(logs["loss"])}
        others = sorted(logs.keys() - {"loss", "learning_rate"}, key=lambda name: (name != metric, name))
        row |= {name: float(logs[name]) for name in others}
        row |= {"learning_rate": learning_rate, f"validation_{metric}": values["raw"]}
        row |= {f"validation_{metric}_ema": values["ema"]} if "ema" in values else {}
        self.rows.append(row)
        which = min(values, key=lambda name: values[name] if math.isfinite(values[name]) else math.inf)
        better = math.isfinite(values[which]) and (self.best is None or values[which] < self.best["value"])
        if better:
            self.best = {"step": self.step, "metric": metric, "value": values[which], "weights": which}
        self.wait = 0 if better else self.wait + 1
        return which, better

    @property
    def machines(self) -> str:
        """All of `hardware`, with the steps on each if there are several."""
        if len(self.hardware) < 2:
            return "".join(self.hardware)
        shares = sorted(self.hardware.items(), key=lambda share: -share[1])
        return "; ".join(f"{name} ({steps:,} steps)" for name, steps in shares)

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
        flow: holds the best weights after.
        progress: has the best weights.
    """
    from flowzoo.models.weights import save_weights  # imports TensorFlow, which `offload` does without

    state.assign("best weights", flow.weights, progress.best_weights)
    save_weights(flow, workdir / "best.weights.h5")
    files.write_atomic(workdir / "best.json", json.dumps(progress.best, indent=2) + "\n")
