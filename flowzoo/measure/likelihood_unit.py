"""The likelihood of integer data in nats, as NICE states it: of u = (x + noise) / 2^bits in [0, 1]^D."""

import math

from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.measure.subject import Subject


class UnitLikelihood(Measurement):
    name, unit, lower_is_better, tolerance, one_draw = "log_likelihood_unit", "nats", False, 0.5, True
    meaning = (
        "log_likelihood_unit is bits/dim of integer data in nats, as NICE states it: of (x + noise) / 2^bits in "
        "[0, 1]^D."
    )

    def applies(self, subject: Subject) -> bool:
        """Where a number in these terms, or in those of logit space, is published of integer data."""
        published = {entry["metric"] for entry in subject.preset.published}
        return subject.test is not None and subject.flow.x_space.depth > 0 and bool(published & self.published)

    published = frozenset({name, "log_likelihood_logit"})  # if either is published, this is measured for comparison

    def measure(self, subject: Subject) -> Measured:
        return Measured.mean(self.values(subject), **subject.protocol(subject.split))

    def values(self, subject: Subject):
        """Of each example, (n,)."""
        flow = subject.flow
        return flow.dims * math.log(2.0) * (flow.x_space.depth - subject.losses(subject.split))
