"""The divergence from the true density p, where that is known: KL(p || q), the mean of log p(x) - log q(x)."""

from flowzoo.measure.likelihood import LogLikelihood
from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.measure.subject import Subject


class KLDivergence(Measurement):
    name, unit, tolerance, label, one_draw = "kl_divergence", "nats", 1e-3, "kl, nats", True
    meaning = (
        "kl_divergence, where the true density is known, is the mean of log p_true(x) - log p(x) over the test split "
        "in nats; lower is better, 0 is perfect."
    )

    def applies(self, subject: Subject) -> bool:
        from flowzoo import data

        return super().applies(subject) and data.density(subject.preset.dataset["name"]) is not None

    def measure(self, subject: Subject) -> Measured:
        from flowzoo import data

        target, log_prob = (
            data.density(subject.preset.dataset["name"]),
            LogLikelihood.sign * subject.losses(subject.split),
        )
        differences = target.log_prob(subject.scored(subject.split)[0]) - log_prob
        return Measured.mean(differences, **subject.protocol(subject.split))
