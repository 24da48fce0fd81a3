"""The likelihood that a flow gives to another data set: it may well be the higher one.

Reference: Nalisnick et al. 2019, Do deep generative models know what they don't know?, arXiv:1810.09136.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowzoo.measure import likelihood
from flowzoo.measure.check import Check
from flowzoo.measure.losses import losses
from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Figure, Measurement, Section
from flowzoo.record.types import Count, CountFrom0, Name, NotNegative, Number, keys

if TYPE_CHECKING:
    import numpy as np

    from flowzoo.measure.measured import Entry
    from flowzoo.measure.subject import Subject
    from flowzoo.record.preset import Preset

BINS = 40
SCORES = keys(value=Number, standard_error=NotNegative, examples=Count, counts=list[CountFrom0])


class OtherDataSet(Measurement):
    """-log p of the shipped test images of the preset's data set and of another, with one histogram of both."""

    name, section, unit = "other_data_set", "other_data_set", likelihood.BitsPerDim.unit
    form = keys(dataset=Name, low=Number, high=Number, own=SCORES, other=SCORES)

    def applies(self, subject: Subject) -> bool:
        return other(subject.preset) is not None

    def measure(self, subject: Subject) -> Measured:
        from flowzoo import data

        name, preset = other(subject.preset), subject.preset
        images = [data.shipped(preset.dataset | {"name": one})[0] for one in (preset.dataset["name"], name)]
        own, others = (losses(subject.flow, x) for x in images)
        low, high = float(min(own.min(), others.min())), float(max(own.max(), others.max()))
        scores = {"own": _scores(own, low, high), "other": _scores(others, low, high)}
        return Measured({"dataset": name, "low": low, "high": high} | scores)

    def compare(self, card: Preset, now: Measured) -> list[Check]:
        stated, found = likelihood.of(card.depth), now.value["other"]
        before = (self.entry(card) or {}).get("other", {}).get("value")
        expected, tolerance = (found["value"], None) if before is None else (before, stated.tolerance)
        name = f"{stated.name} of {now.value['dataset']}"
        protocol = f"{found['examples']} test images shipped with flowzoo"
        return [Check(name, expected, found["value"], tolerance, protocol, before)]

    def sections(self, preset: Preset) -> list[Section]:
        entry = self.entry(preset)
        if not entry or _fooled(entry):
            return []
        fine = f"It finds `{entry['dataset']}` less likely than its own data, as one would wish; not every flow does."
        return [Section("Another data set", f"{fine} {self._said(preset)}")]

    def failures(self, preset: Preset) -> list[str]:
        entry = self.entry(preset)
        if not entry or not _fooled(entry):
            return []
        return [f"It finds `{entry['dataset']}`, which it never saw, likelier than its own data. {self._said(preset)}"]

    def figure(self, preset: Preset) -> Figure | None:
        entry, own = self.entry(preset), preset.dataset["name"]
        if not entry:
            return None

        def draw(axes):
            width = (entry["high"] - entry["low"]) / len(entry["own"]["counts"])
            edges = [entry["low"] + width * index for index in range(len(entry["own"]["counts"]) + 1)]
            for name, scores in ((f"{own}: its own test images", entry["own"]), (entry["dataset"], entry["other"])):
                axes.stairs(scores["counts"], edges, fill=True, alpha=0.5, label=name)
            axes.set(xlabel=f"{self.unit} (lower is a higher likelihood)", ylabel="images")

        return Figure("other-data-set", f"{self.unit} of test images of {own} and of {entry['dataset']}", draw)

    def _said(self, preset: Preset) -> str:
        """Both likelihoods."""
        entry = self.entry(preset)
        pairs = (entry["dataset"], entry["other"]), (preset.dataset["name"], entry["own"])
        scores = [
            f"{one['value']:.3f} ± {one['standard_error']:.3f} {self.unit} on {one['examples']} test images of `{name}`"
            for name, one in pairs
        ]
        return f"Measured: {', '.join(scores)}; lower is a higher likelihood."


def other(preset: Preset) -> str | None:
    """The shipped data set of the same shape as the preset's own, if both are shipped and the flow takes no label."""
    from flowzoo.data import specs

    own = specs.spec(preset.dataset["name"])
    if not own.shipped or preset.dataset["labels"]:
        return None
    alike = [
        name
        for name in specs.names()
        if name != own.name and specs.spec(name).shipped and specs.spec(name).x_space == own.x_space
    ]
    return alike[0] if alike else None


def _fooled(entry: Entry) -> bool:
    return entry["other"]["value"] < entry["own"]["value"]


def _scores(values: np.ndarray, low: float, high: float) -> Entry:
    import numpy as np

    found, counts = Measured.mean(values), np.histogram(values, BINS, (low, high))[0].tolist()
    return {
        "value": found.value,
        "standard_error": found.standard_error,
        "examples": len(values),
        "counts": counts,
    }
