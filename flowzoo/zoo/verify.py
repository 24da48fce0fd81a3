"""Measure the numbers of a card again and say which are off."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from flowzoo.core.errors import CheckpointError, PresetError
from flowzoo.data import MissingDataError
from flowzoo.data.requirements import require_dataset
from flowzoo.hub.presets import json_path, read_preset
from flowzoo.measure.check import Check
from flowzoo.measure.examples import official_test, shipped_examples
from flowzoo.measure.likelihood import TEST
from flowzoo.measure.registry import MEASUREMENTS, headline
from flowzoo.measure.shipped_likelihood import SHIPPED
from flowzoo.measure.subject import Subject
from flowzoo.record.preset import Preset
from flowzoo.zoo.load import load

OFFICIAL = "the official test split"  # `Report.data` where it is here


@dataclass(frozen=True)
class Report:
    """All checks of one preset, and which were left out, with the reason; `print(report)` shows them, `report.ok` sums
    them up."""

    preset: str
    data: str
    checks: tuple[Check, ...]
    left_out: tuple[str, ...] = ()
    again: dict[str, Any] = field(default_factory=dict)  # what `renew` writes, as measured now

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        checks = [asdict(check) | {"difference": check.difference, "ok": check.ok} for check in self.checks]
        for check in checks:
            del check["renewed"]  # for `renew`
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

    Each number of the card is measured as the card says, on the official test split, and compared as its measurement
    in `flowzoo.measure` does: on as many examples to its tolerance, on the first `examples` to 3 standard errors of the
    difference, by the card's spread. Where the data set is not prepared, the test images shipped with flowzoo stand in,
    and the report says so; where none may be shipped, the headline is not measured, the report is not ok, and it says
    what to run. The invertibility certificate must keep to its bounds on test examples and samples, whatever the card
    says; out of distribution it must not exceed ten times the card's errors.

    Args:
        name: what `flowzoo.load` takes.
        data_dir: TFDS' folder; TFDS' default if not given.
        examples: score this many test examples only.
        exhaustive: compare log_det with the whole Jacobian of flows of more than 4,096 dimensions, too. It takes
            minutes, and for 64x64 colour images 4 GB.
        progress: show bars, on stderr, if it is a terminal.

    Returns:
        The report; `report.ok` is False when a number is off.

    Raises:
        PresetError, CheckpointError: as `flowzoo.load`; the data set is unknown, or the card lacks what is measured.
    """
    preset = read_preset(name)
    if preset.metrics is None:
        why = "it is a recipe only" if preset.recipe_only else "it was not trained and published"
        raise CheckpointError(f"{preset.name} has no measured numbers{'' if preset.recipe_only else ' yet'}: {why}.")
    require_dataset(preset)
    flow, shipped, first = load(name), shipped_examples(preset), headline(preset)
    checks, left_out, again = [], [], {}
    try:
        splits, source = {TEST: official_test(preset, data_dir)}, OFFICIAL
    except MissingDataError as error:
        splits, source = {} if shipped is None else {SHIPPED: shipped}, _stand_in(shipped, error)
        if shipped is None:
            checks.append(first.unmeasured(preset, "the data set is not here: see above"))
    how = {"limit": examples, "exhaustive": exhaustive, "progress": progress, "data_dir": data_dir}
    subject = Subject(preset, flow, splits, **how)
    leading = next((one for one in MEASUREMENTS if one.leads(preset) and one.applies(subject)), first)
    stated = leading.stated(preset)
    subject.draws, subject.seed = stated["draws"], stated["seed"]
    for measurement in MEASUREMENTS:
        if not measurement.applies(subject) or not (measurement.section or measurement.entry(preset)):
            continue
        if why := measurement.left_out(subject):
            left_out.append(why)
            continue
        now = measurement.measure(subject)
        checks += measurement.compare(preset, now)
        if measurement.section:
            again[measurement.section] = now.value
            if lost := measurement.missing(now.value):
                left_out.append(f"{lost}: the data set is not here")
    paper = _paper(preset)
    checks = [replace(check, paper=paper.get(check.name)) for check in checks]
    return Report(preset.name, source, tuple(checks), tuple(left_out), again)


def _stand_in(shipped: Any, error: MissingDataError) -> str:
    what = "samples of the flow" if shipped is None else f"the {len(shipped[0])} test images shipped with flowzoo"
    return f"{what} ({error})"


def renew(name: str | Path, report: Report) -> Preset:
    """Write what `verify` measured of the preset's sections, such as the certificate, into its JSON, where it lies.

    A certificate that exceeds the bounds is written, too: the card must say so.

    Args:
        name: what was verified, without a revision.
        report: of `verify`.

    Raises:
        CheckpointError: a number that is not written anew is off, or a part was not measured.
        PresetError: `name` has a revision, which never changes.
    """
    if "@" in str(name) and not str(name).endswith(".json"):
        raise PresetError(f"a revision never changes, got {name!r}. Renew a preset by its name alone.")
    sections = [measurement for measurement in MEASUREMENTS if measurement.section in report.again]
    wrong = [check.name for check in report.checks if not check.ok and not check.renewed]
    wrong += filter(None, (measurement.missing(report.again[measurement.section]) for measurement in sections))
    if wrong:
        raise CheckpointError(f"the card of {report.preset} is not renewed, as something is off: {', '.join(wrong)}.")
    preset = read_preset(name)
    superseded = {key for measurement in sections for key in measurement.superseded}
    metrics = {key: value for key, value in preset.metrics.items() if key not in superseded}
    preset = replace(preset, metrics=metrics, **report.again)
    preset.write(json_path(name))
    return preset


def _number(value: float | None, absent: str = "-", form: str = ".5g") -> str:
    return absent if value is None else f"{value:{form}}"


def _paper(preset: Preset) -> dict[str, float]:
    """Metric -> the first published value; also of the test split, with which shipped images are compared."""
    found = {entry["metric"]: entry["value"] for entry in reversed(preset.published)}
    return found | {f"{metric} of the test split": value for metric, value in found.items()}
