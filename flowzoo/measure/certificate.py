"""The invertibility certificate of a card: how exactly the flow inverts, and the bounds that it must keep to.

Reference: Behrmann et al. 2021, Understanding and mitigating exploding inverses in invertible neural networks,
arXiv:2006.09347.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, NotRequired

from msgspec import Meta

from flowzoo.measure.check import Check
from flowzoo.measure.log_det_error import BOUND
from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement, Section
from flowzoo.record.types import Count, Line, NotNegative, keys

if TYPE_CHECKING:
    from flowzoo.measure.measured import Entry
    from flowzoo.measure.subject import Subject
    from flowzoo.record.preset import Preset

Share = Annotated[float, Meta(ge=0, le=1, description="a number from 0 to 1")]
ROUND_TRIP = keys(
    inputs=Line,
    examples=Count,
    non_finite_rate=Share,
    reconstruction_error=NotRequired[NotNegative],
    log_det_error=NotRequired[NotNegative],
    exploded_rate=NotRequired[Share],
)
BOUNDS = {
    "reconstruction_error": 1e-3,  # of the data range, a quarter of one step of 8 bits; of continuous data in its units
    "log_det_error": BOUND,
    "non_finite_rate": 0.0,
    "exploded_rate": 0.05,  # what is more than ten data ranges out is counted apart: at 1e6 float32 has no thousandths
}
KINDS = ("test", "sampled", "out_of_distribution")
PROMISED = KINDS[:2]  # the kinds of input for which the bounds hold; out of distribution nothing is promised
LOOSE = 10.0  # times the card's error, of inputs out of distribution: there roundings grow, and machines differ
SHARE = 0.05  # of rows that are not finite, of such inputs, where the card has none

DRAWN = "drawn for z of "  # begins what is said of inputs of surjections
TEXT = """Largest errors over the rows that stay finite, in float32: {error}; |log_det of
encode + log_det of decode| in nats. Rows more than ten data ranges out count as exploded and do not enter the
errors. On test inputs and samples the bounds are {bounds}; out of distribution nothing is promised."""


class Certificate(Measurement):
    """For each kind of input what `round_trip.round_trips` says."""

    name, section, label = "certificate", "certificate", "inverts"
    form = keys(**dict.fromkeys(KINDS, NotRequired[ROUND_TRIP]))
    numbers = tuple(BOUNDS)
    must, advice = "must invert", "`flowzoo.diagnose` shows which layer doesn't."
    superseded = ("reconstruction_error", "non_finite_samples")  # of cards from before the certificate

    def applies(self, subject: Subject) -> bool:
        return True

    def measure(self, subject: Subject) -> Measured:
        from flowzoo.measure.round_trip import round_trips

        found, drawn = round_trips(subject.flow, subject.test), "" if subject.flow.raw.inverts else DRAWN
        return Measured({kind: entry | {"inputs": drawn + entry["inputs"]} for kind, entry in found.items()})

    def compare(self, card: Preset, now: Measured) -> list[Check]:
        """On test examples and samples against the bounds, whatever the card says; else against the card, tenfold."""
        checks, stated = [], self.entry(card) or {}
        for kind, entry in now.value.items():
            for key, bound in BOUNDS.items():
                if key not in entry and (kind not in PROMISED or not _number(entry, key)):
                    continue  # nothing exploded; or, where nothing is promised, no row is finite, as the rate says
                before = _number(stated[kind], key) if kind in stated else None
                if kind not in PROMISED:
                    bound = None if before is None else max(LOOSE * before, bound or SHARE)
                name, value = f"{key}, {_words(kind)}", _number(entry, key)
                checks.append(Check(name, 0.0, value, bound, entry["inputs"], before, renewed=True))
        return checks

    def missing(self, entry: Entry | None) -> str:
        lost = [kind for kind in PROMISED if kind not in (entry or {})] if entry != {} else []  # {}: nothing inverts
        return f"the certificate of {lost[0]} inputs" if lost else ""

    def broken(self, entry: Entry) -> list[str]:
        """What exceeds `BOUNDS`, in words.

        >>> Certificate().broken({"test": {"reconstruction_error": 0.5, "log_det_error": 0.01, "non_finite_rate": 0.0}})
        ['reconstruction_error of test inputs is 0.5, more than 0.001']
        """
        return [
            f"{key} of {kind} inputs is {_number(entry[kind], key):.3g}, more than {bound:g}"
            for kind in PROMISED
            for key, bound in BOUNDS.items()
            if kind in entry and not _number(entry[kind], key) <= bound
        ]

    def text(self, entry: Entry) -> str:
        """The reconstruction errors."""
        errors = [
            f"{of_kind['reconstruction_error']:.1e} ({_words(kind)})"
            for kind, of_kind in entry.items()
            if "reconstruction_error" in of_kind
        ]
        return f"to {', '.join(errors)}" if errors else "not"

    def sections(self, preset: Preset) -> list[Section]:
        rows = []
        for kind, entry in (self.entry(preset) or {}).items():
            errors = [f"{entry[key]:.1e}" if key in entry else "none finite" for key in list(BOUNDS)[:2]]
            shares = [f"{_number(entry, key):.1%}" for key in list(BOUNDS)[2:]]
            rows.append((_words(kind), *errors, *shares, entry["inputs"]))
        if not rows:
            return []
        unit = "with the data range 1" if preset.discrete else "in units of the data"
        error = f"|decode(encode(y)) - y| {unit}"
        if rows[0][-1].startswith(DRAWN):
            error += ", where decode draws the same both times, such as a sign or an order"
        rates = f"no row not finite and {BOUNDS['exploded_rate']:.0%} exploded"
        bounds = f"{BOUNDS['reconstruction_error']:g}, {BOUNDS['log_det_error']:g}, {rates}"
        header = ("inputs", "reconstruction", "log_det, nats", "not finite", "exploded", "what they are")
        text = TEXT.format(error=error, bounds=bounds)
        return [Section("Invertibility certificate", text, header, tuple(rows))]

    def failures(self, preset: Preset) -> list[str]:
        entry = self.entry(preset) or {}
        found = [f"Beyond the bounds of the certificate: {text}." for text in self.broken(entry)]
        return found + [
            f"{_words(kind).capitalize()}, its {key} is {entry[kind][key]:.1e}, above {bound:g}, the bound for test "
            "inputs and samples."
            for kind in KINDS
            for key, bound in BOUNDS.items()
            if kind not in PROMISED and entry.get(kind, {}).get(key, 0.0) > bound
        ]


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _number(entry: Entry, key: str) -> float:
    """A number of one kind of input: an error that is absent, as no row is finite, is infinite; an absent rate is 0."""
    return entry.get(key, 0.0 if key.endswith("_rate") else math.inf)
