"""The evidence lower bound by one draw of the latent, beside which more draws show how loose it is."""

from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.measure.subject import Subject


class Elbo(Measurement):
    name, unit, lower_is_better, tolerance, label = "elbo", "nats", False, 0.05, "elbo, nats"
    meaning = "elbo is the evidence lower bound by one draw of the latent, in nats per example; higher is better."

    def applies(self, subject: Subject) -> bool:
        return subject.test is not None and "posterior" in subject.flow.offers

    def measure(self, subject: Subject) -> Measured:
        x, condition = subject.scored(subject.split)
        nats = subject.flow.score(x, condition, seed=subject.seed)
        return Measured.mean(nats, **subject.protocol(subject.split) | {"draws": 1})
