"""Measure the numbers of a card again and say which are off."""

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from flowzoo.core.errors import CheckpointError, PresetError
from flowzoo.data import MissingDataError
from flowzoo.data.requirements import require_dataset
from flowzoo.hub.presets import json_path, read_preset
from flowzoo.measure import certificate, other_data_set
from flowzoo.measure.derived import TOLERANCES, restated
from flowzoo.measure.examples import Examples, inputs, official_test, shipped_examples
from flowzoo.measure.likelihood import losses
from flowzoo.measure.promises import BOUNDS, LOG_DET, PROMISED, Certificate, entry_value
from flowzoo.measure.round_trip import log_det_error
from flowzoo.models.flow import Flow
from flowzoo.record.preset import Preset
from flowzoo.zoo.load import load

OFFICIAL = "the official test split"  # `Report.data` where it is here
STANDARD_ERRORS = 3.0  # other examples of the same data
LARGE = 4096  # dimensions; above it, one Jacobian takes minutes and gigabytes
LOOSE = 10.0  # times the card's error, of inputs out of distribution: there roundings grow, and machines differ
SHARE = 0.05  # of rows that are not finite, of such inputs, where the card has none

SUPERSEDED = ("reconstruction_error", "non_finite_samples")  # metrics of cards from before the certificate


@dataclass(frozen=True)
class Check:
    """One number.

    Attributes:
        name: what it is.
        expected: what it should be: the card's value, or of an error 0.
        measured: what it is now; None if it could not be measured.
        tolerance: how far these may be apart; None where the card has nothing to compare with.
        protocol: how it was measured.
        card: the card's value; None if it has none.
        paper: the published value that the card names; None if there is none.
    """

    name: str
    expected: float
    measured: float | None
    tolerance: float | None
    protocol: str
    card: float | None = None
    paper: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the measured value is finite and within the tolerance."""
        if self.measured is None or not math.isfinite(self.measured):
            return False
        return self.tolerance is None or abs(self.measured - self.expected) <= self.tolerance

    @property
    def difference(self) -> float | None:
        """Measured now less the card's; None without either."""
        return None if self.measured is None or self.card is None else self.measured - self.card


@dataclass(frozen=True)
class Report:
    """All checks of one preset, and which were left out, with the reason; `print(report)` shows them, `report.ok` sums
    them up."""

    preset: str
    data: str
    checks: tuple[Check, ...]
    left_out: tuple[str, ...] = ()
    again: dict[str, Any] = field(default_factory=dict)  # `certificate` and `elsewhere` as measured now

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        checks = [asdict(check) | {"difference": check.difference, "ok": check.ok} for check in self.checks]
        return {
            "preset": self.preset,
            "data": self.data,
            "ok": self.ok,
            "checks": checks,
            "left_out": list(self.left_out),
        }

    def __str__(self) -> str:
        width = max(len(check.name) for check in self.checks)
        columns = ("paper", "card", "now", "difference", "allowed")
        lines = [f"{self.preset}, measured on {self.data}", f"     {'':{width}}" + "".join(f"{c:>12}" for c in columns)]
        for check in self.checks:
            numbers = [_number(check.paper), _number(check.card), _number(check.measured, "not measured")]
            numbers += [_number(check.difference, form=".1e"), _number(check.tolerance, form=".3g")]
            cells = "".join(f"{number:>12}" for number in numbers)
            lines.append(f"{'ok ' if check.ok else 'OFF'}  {check.name:{width}}{cells}  {check.protocol}")
        lines += [f"--   {reason}" for reason in self.left_out]
        off = sum(not check.ok for check in self.checks)
        fine = "every number that was measured holds" if self.left_out else "every number holds"
        return "\n".join([*lines, f"{off} off" if off else fine])


def verify(
    name: str | Path,
    *,
    data_dir: str | None = None,
    examples: int | None = None,
    exhaustive: bool = False,
    progress: bool = False,
) -> Report:
    """Measure the numbers of a preset's card again.

    Likelihood is measured on the official test split with the card's draws and seed, and compared to 1e-3 bits/dim, or
    0.01 nats of continuous data, and so are the other terms of the card, to `restate.TOLERANCES`; on the first
    `examples` of it, to 3 standard errors of the difference, by the card's spread. Where the data set is not prepared,
    the test images shipped with flowzoo stand in, and the report says so; where none may be shipped, the likelihood is
    not measured, the report is not ok, and it says what to run. The invertibility certificate is measured again on what
    of its inputs is here: on test examples and samples it must keep to `bounds.BOUNDS`, whatever the card says; out of
    distribution it must not exceed the card's tenfold.

    Args:
        name: what `flowzoo.load` takes.
        data_dir: TFDS' folder; TFDS' default if not given.
        examples: score so many test examples only.
        exhaustive: compare log_det with the whole Jacobian of flows of more than 4,096 dimensions, too. It takes
            minutes, and for 64x64 colour images 4 GB.
        progress: show bars, on stderr, if it is a terminal.

    Returns:
        The report; `report.ok` is False when a number is off.

    Raises:
        PresetError, CheckpointError: as `flowzoo.load`; the data set is unknown, or the card has not what is measured.
    """
    preset = read_preset(name)
    if preset.metrics is None:
        why = "it is a recipe only" if preset.recipe_only else "it was not trained and published"
        raise CheckpointError(f"{preset.name} has no measured numbers{'' if preset.recipe_only else ' yet'}: {why}.")
    require_dataset(preset)
    flow, metric, paper = load(name), preset.likelihood.metric, _paper(preset)
    shipped = test = shipped_examples(preset)
    try:
        test, source = official_test(preset, data_dir), OFFICIAL
        checks = _likelihood(preset, flow, test, metric, examples, progress)
    except MissingDataError as error:
        if shipped is None:
            source, value = f"samples of the flow ({error})", preset.measured["value"]
            absent = "the data set is not here: see above"
            checks = [Check(metric, value, None, preset.likelihood.tolerance, absent, value)]
        else:
            source = f"the {len(shipped[0])} test images shipped with flowzoo ({error})"
            checks = _likelihood(preset, flow, shipped, f"fixture_{metric}", examples, progress)
    checks = [replace(check, paper=paper.get(check.name)) for check in checks]
    again = {"certificate": certificate.certificate(flow, test)}
    checks += _round_trips(again["certificate"], preset.certificate or {})
    if others := other_data_set.elsewhere(preset, flow):
        again["elsewhere"] = others
        checks.append(_others(preset, others))
    left_out = []
    if "test" not in again["certificate"]:
        why = "the data set is not here" if again["certificate"] else "the flow has nothing that inverts"
        left_out.append(f"the certificate of test inputs: {why}")
    if exhaustive or flow.dims <= LARGE:
        checks.append(_log_det(preset, flow, progress))
    else:
        left_out.append(f"log_det_error: a Jacobian of {flow.dims:,} dimensions takes long; --exhaustive measures it")
    return Report(preset.name, source, tuple(checks), tuple(left_out), again)


def renew(name: str | Path, report: Report) -> Preset:
    """Write the certificate that `verify` measured into a preset's JSON, where it lies.

    One that exceeds the bounds is written, too: the card must tell.

    Args:
        name: what was verified, without a revision.
        report: of `verify`.

    Raises:
        CheckpointError: a number outside the certificate is off, or a part was not measured.
        PresetError: `name` has a revision, which never changes.
    """
    if "@" in str(name) and not str(name).endswith(".json"):
        raise PresetError(f"a revision never changes, got {name!r}. Renew a preset by its name alone.")
    renewed = {check.name for check in _round_trips(report.again["certificate"], {})}
    wrong = [check.name for check in report.checks if not check.ok and check.name not in renewed]
    wrong += [] if "test" in report.again["certificate"] else ["the certificate of test inputs is not measured"]
    if wrong:
        raise CheckpointError(f"the card of {report.preset} is not renewed, as something is off: {', '.join(wrong)}.")
    preset = read_preset(name)
    metrics = {key: value for key, value in preset.metrics.items() if key not in SUPERSEDED}
    preset = replace(preset, metrics=metrics, **report.again)
    preset.write(json_path(name))
    return preset


def _number(value: float | None, absent: str = "-", form: str = ".5g") -> str:
    return absent if value is None else f"{value:{form}}"


def _paper(preset: Preset) -> dict[str, float]:
    """Metric -> the first published value; also of the test split, with which shipped images are compared."""
    found = {entry["metric"]: entry["value"] for entry in reversed(preset.published)}
    return found | {f"{metric} of the test split": value for metric, value in found.items()}


def _likelihood(preset: Preset, flow: Flow, on: Examples, metric: str, most: int | None, progress: bool) -> list[Check]:
    card, stated = _on_card(preset, metric), preset.likelihood
    x, condition = (part if part is None else part[:most] for part in on)
    values = stated.sign * losses(flow, x, condition, samples=card["draws"], seed=card["seed"], progress=progress)
    checks = _compared(stated.metric, card, preset.measured, values, stated.tolerance)
    for name, again in restated(preset, flow, x, condition, values, card["seed"]).items():
        if name in preset.metrics:
            told = _on_card(preset, name)
            checks += _compared(name, told, told, again, TOLERANCES[name])
    return checks


def _on_card(preset: Preset, name: str) -> dict[str, Any]:
    """A metric with its protocol."""
    found = preset.metrics.get(name, {})
    if "standard_error" not in found:
        raise CheckpointError(
            f"{preset.source}: `metrics.{name}` with its protocol is missing, so it can't be verified."
        )
    return found


def _compared(name: str, card: dict, official: dict, values: np.ndarray, tolerance: float) -> list[Check]:
    """The mean of `values` against the card's on as many examples, and, unless that is it, against the official one."""
    mean, count, checks = float(values.mean()), len(values), []
    protocol = f"{count:,} examples, draws {card['draws']}, seed {card['seed']}"
    if count == card["examples"]:
        checks = [Check(name, card["value"], mean, tolerance, f"{protocol}, same as the card's", card["value"])]
    if card is not official or not checks:
        spread = math.sqrt(1 + official["examples"] / count)  # the card's, as few examples don't tell theirs
        tolerance = STANDARD_ERRORS * official["standard_error"] * spread
        protocol = f"{protocol}; {STANDARD_ERRORS:g} standard errors of the difference"
        value = official["value"]
        checks.append(Check(f"{name} of the test split", value, mean, tolerance, protocol, value))
    return checks


def _round_trips(found: Certificate, card: Certificate) -> list[Check]:
    checks = []
    for kind, entry in found.items():
        for key, bound in BOUNDS.items():
            if key not in entry and (kind not in PROMISED or not entry_value(entry, key)):
                continue  # nothing exploded; or, where nothing is promised, no row is finite, as the rate says
            told = entry_value(card[kind], key) if kind in card else None
            if kind not in PROMISED:
                bound = None if told is None else max(LOOSE * told, bound or SHARE)
            checks.append(
                Check(f"{key}, {kind.replace('_', ' ')}", 0.0, entry_value(entry, key), bound, entry["inputs"], told)
            )
    return checks


def _others(preset: Preset, found: dict[str, Any]) -> Check:
    name, now = f"{preset.likelihood.metric} of {found['dataset']}", found["other"]
    told = (preset.elsewhere or {}).get("other", {}).get("value")
    expected, tolerance = (now["value"], None) if told is None else (told, preset.likelihood.tolerance)
    return Check(name, expected, now["value"], tolerance, f"{now['examples']} test images shipped with flowzoo", told)


def _log_det(preset: Preset, flow: Flow, progress: bool) -> Check:
    (x, condition), _ = inputs(preset, flow)
    error = log_det_error(flow, x[:1], None if condition is None else condition[:1], progress=progress)
    card = preset.metrics.get("log_det_error", {}).get("value")
    return Check("log_det_error", 0.0, error, LOG_DET, "against autodiff, 1 example, nats", card)
