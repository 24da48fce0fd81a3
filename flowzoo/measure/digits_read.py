"""Whether speech that is sampled from spectrograms can be understood: the share of digits that a judge reads in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flowzoo.measure.check import Check
from flowzoo.measure.likelihood import TEST
from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.record.types import Count, CountFrom0, Line, NotNegative, Sha256, keys

if TYPE_CHECKING:
    from flowzoo.measure.subject import Subject
    from flowzoo.record.preset import Preset

TEMPERATURE = 1.0  # of the samples
FORM = keys(
    value=NotNegative,
    standard_error=NotNegative,
    draws=Count,
    seed=CountFrom0,
    split=Line,
    examples=Count,
    temperature=NotNegative,
    weights=Line,
    real_digits_read=NotNegative,
    judge=Sha256,
)


class DigitsRead(Measurement):
    """Each clip is sampled from its own spectrogram; those of a recording, one after the other, are read as one.

    An example is a recording. A card also has what the judge reads of the recordings themselves, `real_digits_read`,
    and the sha256 of its weights.
    """

    name, unit, lower_is_better, tolerance, form, label = "digits_read", "", False, 0.01, FORM, "digits read"
    numbers = ("real_digits_read",)
    meaning = (
        "digits_read, of speech conditional on spectrograms, is the share of test recordings whose digit a classifier "
        "trained on real recordings reads in samples from their spectrograms; higher is better."
    )

    def applies(self, subject: Subject) -> bool:
        from flowzoo import data  # imported here and below: `flowzoo list` needs no NumPy or Keras
        from flowzoo.data.computed_conditions import computed
        from flowzoo.measure.judge import DATA_SET

        if subject.preset.dataset["name"] != DATA_SET or TEST not in subject.splits:
            return False
        spectrograms = any(map(computed, subject.flow.condition.spaces.values()))
        return spectrograms and subject.flow.x_space == data.spec(DATA_SET).x_space  # as the judge hears it

    def left_out(self, subject: Subject) -> str:
        if subject.limit is None or subject.limit >= len(subject.splits[TEST][0]):
            return ""
        return f"{self.name}: the first {subject.limit} test clips are of few digits; measure all of them"

    def measure(self, subject: Subject) -> Measured:
        import numpy as np

        from flowzoo.data import arrays
        from flowzoo.measure import judge

        (reader, digest), (x, condition) = judge.load(), subject.scored(TEST)
        whole, labels = arrays.read(judge.DATA_SET, TEST, subject.data_dir)
        recording = whole.recording[: len(x)]
        spoken = labels[np.unique(recording, return_index=True)[1]]
        again = subject.flow.sample(len(x), condition, temperature=TEMPERATURE, seed=subject.seed).numpy()
        real, value = (float((judge.read(reader, clips, recording) == spoken).mean()) for clips in (x, again))
        how = {
            "draws": 1,
            "seed": subject.seed,
            "split": TEST,
            "examples": len(spoken),
            "temperature": TEMPERATURE,
            "weights": subject.weights,
            "real_digits_read": real,
            "judge": digest,
        }
        return Measured(value, math.sqrt(value * (1.0 - value) / len(spoken)), how)

    def compare(self, card: Preset, now: Measured) -> list[Check]:
        expected, got = self.stated(card)["judge"], now.protocol["judge"]
        if expected != got:
            why = f"the judge must have the card's sha256 {expected}, got {got}: take its weights from that version"
            return [self.unmeasured(card, why)]
        return super().compare(card, now)
