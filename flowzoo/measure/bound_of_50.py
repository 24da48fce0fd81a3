"""The importance-weighted bound as a validation sees it; cards state likelihoods, with as many draws as they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowzoo.measure.measurement import Measurement

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from flowzoo.measure.subject import Subject
    from flowzoo.models.flow import Flow
    from flowzoo.record.preset import Preset

DRAWS = 50


class BoundOf50(Measurement):
    """What picks the best weights of a training by an importance-weighted objective, which may lower the ELBO."""

    name, unit, lower_is_better = "bound_of_50", "nats", False
    column, column_unit = "negative_bound", f"nats per example, of {DRAWS} draws"

    def applies(self, subject: Subject) -> bool:
        return False

    def validates(self, preset: Preset) -> bool:
        return True  # of a model that draws nothing it is the likelihood

    def losses(self, flow: Flow, x: np.ndarray, condition: np.ndarray | None = None) -> np.ndarray:
        return -flow.score(x, condition, samples=DRAWS)

    def traced_losses(self, flow: Flow, x: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return -flow.log_prob(x, condition, samples=DRAWS)
