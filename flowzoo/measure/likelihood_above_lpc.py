"""By how much a model of audio is above linear prediction: the difference of each clip, and the error of its mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowzoo.measure.likelihood_lpc import LinearPrediction
from flowzoo.measure.likelihood_sample import SampleLikelihood
from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement

if TYPE_CHECKING:
    from flowzoo.measure.subject import Subject


class AboveLinearPrediction(Measurement):
    """Loud clips are unlikely for both, so the difference has a much smaller error than either likelihood."""

    name, unit, lower_is_better, tolerance, one_draw = "above_lpc", "nats per sample", False, 1e-3, True
    meaning = (
        "above_lpc is log_likelihood_sample minus lpc_log_likelihood, clip by clip: its standard error is that of the "
        "paired difference."
    )

    def applies(self, subject: Subject) -> bool:
        return LinearPrediction().applies(subject)

    def measure(self, subject: Subject) -> Measured:
        values = SampleLikelihood().values(subject) - LinearPrediction().values(subject)
        return Measured.mean(values, **subject.protocol(subject.split))
