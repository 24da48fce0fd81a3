"""The likelihood of audio per sample, as papers on waveforms state it: of (x + u) / 2^(bits - 1) in [-1, 1)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement

if TYPE_CHECKING:
    import numpy as np

    from flowzoo.measure.subject import Subject


class SampleLikelihood(Measurement):
    name, unit, lower_is_better, tolerance, one_draw = "log_likelihood_sample", "nats per sample", False, 1e-3, True
    label = "sample"
    meaning = (
        "log_likelihood_sample, of audio, is bits/dim in nats per sample of (x + u) / 2^(bits - 1) in [-1, 1), where x "
        "is a signed integer and u uniform noise; higher is better."
    )

    def applies(self, subject: Subject) -> bool:
        from flowzoo.modalities.registry import modality_of  # imported here: `flowzoo list` needs no NumPy

        return modality_of(subject.flow.x_space).signal and subject.test is not None

    def measure(self, subject: Subject) -> Measured:
        return Measured.mean(self.values(subject), **subject.protocol(subject.split))

    def values(self, subject: Subject) -> np.ndarray:
        """Of each clip, (n,)."""
        return math.log(2.0) * (subject.flow.x_space.depth - 1 - subject.losses(subject.split))
