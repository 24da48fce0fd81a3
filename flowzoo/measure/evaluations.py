"""What a continuous flow costs: how often its velocity is evaluated to score an example."""

from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.measure.subject import Subject


class Evaluations(Measurement):
    name, tolerance, one_draw, needs = "evaluations", 0.5, True, "solve_counts"
    meaning = "evaluations is how often a continuous flow evaluates its velocity to score an example."

    def measure(self, subject: Subject) -> Measured:
        import numpy as np

        counts = [subject.flow.solve_counts(*batch, subject.seed) for batch in subject.batches(subject.split)]
        return Measured.mean(np.concatenate(counts), **subject.protocol(subject.split))
