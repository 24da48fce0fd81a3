"""The likelihood of integer data in logit space, as the paper on MAF states it: of logit(alpha + (1 - 2 alpha) u)."""

from flowzoo.core.errors import PresetError
from flowzoo.measure.likelihood_unit import UnitLikelihood
from flowzoo.measure.subject import Subject

_ROWS = 500


class LogitLikelihood(UnitLikelihood):
    """With the flow's own alpha; u is that of `UnitLikelihood`."""

    name = "log_likelihood_logit"
    meaning = "log_likelihood_logit is the same for the logit of that value, as MAF states it."
    published = frozenset({name})

    def values(self, subject: Subject):
        """Of each example, (n,); raises `PresetError` if the flow does not begin with a logit."""
        return super().values(subject) - self._log_det(subject)

    def _log_det(self, subject: Subject):
        import numpy as np
        import tensorflow as tf

        from flowzoo.bijectors import Logit

        flow, (x, condition) = subject.flow, subject.scored(subject.split)
        logit = next((part for part in flow.raw.parts if not part.draws), None)
        if not isinstance(logit, Logit):
            raise PresetError(
                f"{subject.preset.source}: `published` has {self.name}, but the flow does not begin with a logit."
            )

        @tf.function(autograph=False)
        def log_det(x, condition):
            condition = flow.raw.features(condition)
            return logit.encode(flow.raw.dequantized(x, condition, flow.raw.as_seed(subject.seed)))[1]

        parts = [slice(start, start + _ROWS) for start in range(0, len(x), _ROWS)]
        batches = [(x[part], flow.condition.rows(condition, part)) for part in parts]
        return np.concatenate([log_det(*batch).numpy() for batch in batches])
