"""Measure the numbers of a card again and say which are off."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flowzoo.data import MissingDataError
from flowzoo.errors import CheckpointError
from flowzoo.flows import Flow
from flowzoo.training.evaluation import losses
from flowzoo.zoo.examples import Examples, inputs, official_test, shipped_examples
from flowzoo.zoo.load import load
from flowzoo.zoo.measure import log_det_error, non_finite_rate, reconstruction_error
from flowzoo.zoo.preset import Preset
from flowzoo.zoo.restate import TOLERANCES, restated

STANDARD_ERRORS = 3.0  # other examples of the same data
RECONSTRUCTION = 1e-3  # of the data range, a quarter of one step of 8 bits; of continuous data in its units
LOG_DET = 0.05  # nats, from float32 over all dimensions of one example
LARGE = 4096  # dimensions; above it, one Jacobian takes minutes and gigabytes


@dataclass(frozen=True)
class Check:
    """One number: what it is, what was expected, what was measured (None: could not be), how far apart they may be."""

    name: str
    expected: float
    measured: float | None
    tolerance: float
    protocol: str

    @property
    def ok(self) -> bool:
        """Whether the measured value is finite and within the tolerance."""
        if self.measured is None or not math.isfinite(self.measured):
            return False
        return abs(self.measured - self.expected) <= self.tolerance


@dataclass(frozen=True)
class Report:
    """All checks of one preset, and which were left out, with the reason; `print(report)` shows them, `report.ok` sums
    them up."""

    preset: str
    data: str
    checks: tuple[Check, ...]
    left_out: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        checks = [asdict(check) | {"ok": check.ok} for check in self.checks]
        return {
            "preset": self.preset,
            "data": self.data,
            "ok": self.ok,
            "checks": checks,
            "left_out": list(self.left_out),
        }

    def __str__(self) -> str:
        lines = [f"{self.preset}, measured on {self.data}"]
        for check in self.checks:
            measured = "not measured" if check.measured is None else f"{check.measured:.6g}"
            lines.append(
                f"  {'ok ' if check.ok else 'OFF'}  {check.name}: {measured}, expected {check.expected:.6g} "
                f"± {check.tolerance:.3g} ({check.protocol})"
            )
        lines += [f"  --   {reason}" for reason in self.left_out]
        off = sum(not check.ok for check in self.checks)
        fine = "every number that was measured holds" if self.left_out else "every number holds"
        return "\n".join([*lines, f"{off} off" if off else fine])


def verify(
    name: str | Path, *, data_dir: str | None = None, examples: int | None = None, exhaustive: bool = False
) -> Report:
    """Measure the numbers of a preset's card again.

    Likelihood is measured on the official test split with the card's draws and seed, and compared to 1e-3 bits/dim, or
    0.01 nats of continuous data, and so are the other terms of the card, to `restate.TOLERANCES`; on the first
    `examples` of it, to 3 standard errors of the difference, by the card's spread. Where the data set is not prepared,
    the test images shipped with flowzoo stand in, and the report says so; where none may be shipped, the likelihood is
    not measured, the report is not ok, and it says what to run. The other
    numbers need no data set: they are measured on the shipped images, or else on samples of the flow.

    Args:
        name: what `flowzoo.load` takes.
        data_dir: TFDS' folder; TFDS' default if not given.
        examples: score so many test examples only.
        exhaustive: compare log_det with the whole Jacobian of flows of more than 4,096 dimensions, too. It takes
            minutes, and for 64x64 colour images 4 GB.

    Returns:
        The report; `report.ok` is False when a number is off.

    Raises:
        PresetError, CheckpointError: as `flowzoo.load`.
    """
    preset = Preset.read(name)
    if preset.metrics is None:
        why = "it is a recipe only" if preset.recipe_only else "it was not trained and published"
        raise CheckpointError(f"{preset.name} has no measured numbers{'' if preset.recipe_only else ' yet'}: {why}.")
    flow, metric = load(name), preset.likelihood.metric
    shipped = shipped_examples(preset)
    try:
        test, source = official_test(preset, data_dir), "the official test split"
        checks = _likelihood(preset, flow, test, metric, examples)
    except MissingDataError as error:
        if shipped is None:
            source, value = f"samples of the flow ({error})", preset.measured["value"]
            absent = "the data set is not here: see above"
            checks = [Check(metric, value, None, preset.likelihood.tolerance, absent)]
        else:
            source = f"the {len(shipped[0])} test images shipped with flowzoo ({error})"
            checks = _likelihood(preset, flow, shipped, f"fixture_{metric}", examples)
    checks += _exactness(preset, flow)
    left_out = []
    if exhaustive or flow.dims <= LARGE:
        checks.append(_log_det(preset, flow))
    else:
        left_out.append(f"log_det_error: a Jacobian of {flow.dims:,} dimensions takes long; --exhaustive measures it")
    return Report(preset.name, source, tuple(checks), tuple(left_out))


def _likelihood(preset: Preset, flow: Flow, on: Examples, metric: str, most: int | None) -> list[Check]:
    card, stated = preset.metrics[metric], preset.likelihood
    x, condition = (part if part is None else part[:most] for part in on)
    values = stated.sign * losses(flow, x, condition, samples=card["draws"], seed=card["seed"])
    checks = _compared(stated.metric, card, preset.measured, values, stated.tolerance)
    for name, again in restated(preset, flow, x, condition, values, card["seed"]).items():
        if name in preset.metrics:
            checks += _compared(name, preset.metrics[name], preset.metrics[name], again, TOLERANCES[name])
    return checks


def _compared(name: str, card: dict, official: dict, values: np.ndarray, tolerance: float) -> list[Check]:
    """The mean of `values` against the card's on as many examples, and, unless that is it, against the official one."""
    mean, count, checks = float(values.mean()), len(values), []
    protocol = f"{count:,} examples, draws {card['draws']}, seed {card['seed']}"
    if count == card["examples"]:
        checks = [Check(name, card["value"], mean, tolerance, f"{protocol}, same as the card's")]
    if card is not official or not checks:
        spread = math.sqrt(1 + official["examples"] / count)  # the card's, as few examples don't tell theirs
        tolerance = STANDARD_ERRORS * official["standard_error"] * spread
        protocol = f"{protocol}; {STANDARD_ERRORS:g} standard errors of the difference"
        checks.append(Check(f"{name} of the test split", official["value"], mean, tolerance, protocol))
    return checks


def _exactness(preset: Preset, flow: Flow) -> list[Check]:
    (x, condition), what = inputs(preset, flow)
    rate = preset.metrics["non_finite_samples"]["value"]
    return [
        Check(
            "reconstruction_error", 0.0, reconstruction_error(flow, x, condition), RECONSTRUCTION, f"{len(x)} {what}"
        ),
        Check("non_finite_samples", rate, non_finite_rate(flow, len(x), condition), 0.0, f"{len(x)} samples at T = 1"),
    ]


def _log_det(preset: Preset, flow: Flow) -> Check:
    (x, condition), _ = inputs(preset, flow)
    error = log_det_error(flow, x[:1], None if condition is None else condition[:1])
    return Check("log_det_error", 0.0, error, LOG_DET, "against autodiff, 1 example, nats")
