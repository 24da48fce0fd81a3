"""What a measurement is: a number of a model, how it is measured, compared with the card, and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from flowzoo.core.errors import CheckpointError
from flowzoo.measure.check import Check, compared
from flowzoo.measure.measured import MEAN, Entry, Measured, protocol_text, value_text
from flowzoo.record.types import check

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from matplotlib.axes import Axes

    from flowzoo.measure.subject import Subject
    from flowzoo.models.flow import Flow
    from flowzoo.record.preset import Preset


@dataclass(frozen=True)
class Section:
    """A part of a preset's page: a title, a text, and a table if `rows` are given."""

    title: str
    text: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Figure:
    """A figure of a preset's page, made from the record alone: the end of its file's name, its text, what draws it."""

    suffix: str
    text: str
    draw: Callable[[Axes], None]


class Measurement:
    """One number, or a few that belong together; publish, verify, cards and commands loop over `registry`.

    A subclass states what it is, and measures; the rest has defaults.
    """

    name: ClassVar[str]  # in `metrics` of a preset
    unit: ClassVar[str] = ""
    lower_is_better: ClassVar[bool] = True
    tolerance: ClassVar[float] = 0.0  # between two measurements on the same examples
    meaning: ClassVar[str] = ""  # a sentence for the overviews of all presets
    column: ClassVar[str] = ""  # what histories call it, if validations measure it: lower is better there
    column_unit: ClassVar[str] = ""
    label: ClassVar[str] = ""  # of its line in a card's summary; "" for no line
    section: ClassVar[str] = ""  # the key of the preset that has it, if not `metrics`; `renew` writes these anew
    needs: ClassVar[str] = ""  # what a model must offer
    form: ClassVar[Any] = MEAN  # the type of the card's entry
    one_draw: ClassVar[bool] = False  # whether it is of one draw of the noise, whatever the likelihood is of
    numbers: ClassVar[tuple[str, ...]] = ()  # names of what an entry holds beside a value and its protocol
    must: ClassVar[str] = ""  # what a published model must, if `broken` may find that it does not
    advice: ClassVar[str] = ""  # where to look then
    superseded: ClassVar[tuple[str, ...]] = ()  # metrics of old cards that go when it is renewed

    def applies(self, subject: Subject) -> bool:
        """Whether it can be measured: by default on test examples, of a model that offers what it `needs`."""
        return subject.test is not None and (not self.needs or self.needs in subject.flow.offers)

    def measure(self, subject: Subject) -> Measured:
        """Measures it."""
        raise NotImplementedError

    def leads(self, preset: Preset) -> bool:
        """Whether it may stand for a model of this preset; of several the first in `registry` does."""
        return False

    def validates(self, preset: Preset) -> bool:
        """Whether it may pick the best weights of a training of this preset."""
        return self.leads(preset)

    def losses(self, flow: Flow, x: np.ndarray, condition: np.ndarray | None = None) -> np.ndarray:
        """Of one that `validates`: what picks the best weights, lower is better, of each example: (n,)."""
        raise NotImplementedError

    def traced_losses(self, flow: Flow, x: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """As `losses`, in a graph."""
        raise NotImplementedError

    def evaluate(self, flow: Flow, dataset: Mapping[str, Any], split: str, **how: Any) -> dict[str, Any]:
        """Of a headline: its value on a split, as `flowzoo.training.evaluate` gives it."""
        raise NotImplementedError

    def unmeasured(self, card: Preset, why: str) -> Check:
        """The check that says why it is not measured."""
        value = self.stated(card)["value"]
        return Check(self.name, value, None, self.tolerance, why, value)

    def compare(self, card: Preset, now: Measured) -> list[Check]:
        """What was measured now against the card, number by number."""
        stated = self.stated(card)
        return compared(self.name, stated, stated, now, self.tolerance)

    def entry(self, preset: Preset) -> Entry | None:
        """What the card has of it, checked; None if it has nothing.

        Raises:
            PresetError: names the key that is wrong.
        """
        found = getattr(preset, self.section) if self.section else (preset.metrics or {}).get(self.name)
        if found is not None:
            check(found, self.form, preset.source, self.section or f"metrics.{self.name}")
        return found

    def stated(self, preset: Preset) -> Entry:
        """As `entry`; raises `CheckpointError` if the card has nothing."""
        if (found := self.entry(preset)) is None:
            raise CheckpointError(f"{preset.source}: `metrics.{self.name}` is missing, so it can't be verified.")
        return found

    def recorded(self, measured: Measured) -> Entry:
        """The entry that says what was measured."""
        if self.section:
            return measured.value
        error = {} if measured.standard_error is None else {"standard_error": measured.standard_error}
        return {"value": measured.value} | error | dict(measured.protocol)

    def brief(self, entry: Entry, unit: bool = True) -> str:
        """The value in a table, as "3.141 bits/dim"."""
        draws = f" ({entry['draws']} draws)" if entry.get("draws", 1) > 1 else ""
        return f"{entry['value']:.3f}" + (f" {self.unit}" if unit else "") + draws

    def text(self, entry: Entry) -> str:
        """The value with its protocol in one line."""
        where = f" on {entry['examples']:,} examples of {entry['split']}" if "examples" in entry else ""
        return f"{value_text(entry)}{where} ({protocol_text(entry)})"

    def left_out(self, subject: Subject) -> str:
        """Why it is not measured though it applies, such as that it takes long; "" if it is."""
        return ""

    def missing(self, entry: Entry | None) -> str:
        """What of it every published model must have, but this card lacks; "" if nothing."""
        return ""

    def broken(self, entry: Entry) -> list[str]:
        """What of an entry is beyond the bounds that every published model keeps to, in words."""
        return []

    def sections(self, preset: Preset) -> list[Section]:
        """Parts of the preset's page of its own."""
        return []

    def failures(self, preset: Preset) -> list[str]:
        """What the page lists under known failures."""
        return []

    def figure(self, preset: Preset) -> Figure | None:
        """A figure for the page."""
        return None
