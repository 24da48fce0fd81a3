"""What a continuous flow costs: how often its velocities are computed to score an example."""

from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.measure.subject import Subject


class Evaluations(Measurement):
    name, tolerance, one_draw = "evaluations", 0.5, True
    meaning = "evaluations is how often a continuous flow computed its velocities to score an example."

    def applies(self, subject: Subject) -> bool:
        return subject.test is not None and hasattr(subject.flow, "solve_counts")

    def measure(self, subject: Subject) -> Measured:
        import numpy as np

        counts = [subject.flow.solve_counts(*batch, subject.seed) for batch in subject.batches(subject.split)]
        return Measured.mean(np.concatenate(counts), **subject.protocol(subject.split))
