"""What a continuous flow costs: how often its velocities are computed to score an example."""

from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.measure.subject import Subject

_ROWS = 500


class Evaluations(Measurement):
    name, tolerance, one_draw = "evaluations", 0.5, True
    meaning = "evaluations is how often a continuous flow computed its velocities to score an example."

    def applies(self, subject: Subject) -> bool:
        return subject.test is not None and hasattr(subject.flow, "solve_counts")

    def measure(self, subject: Subject) -> Measured:
        import numpy as np

        x, condition = subject.scored(subject.split)
        parts = [slice(start, start + _ROWS) for start in range(0, len(x), _ROWS)]
        counts = [
            subject.flow.solve_counts(x[part], subject.flow.condition.rows(condition, part), subject.seed)
            for part in parts
        ]
        return Measured.mean(np.concatenate(counts), **subject.protocol(subject.split))
