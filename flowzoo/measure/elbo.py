"""The evidence lower bound with one draw of the latent; bounds with more draws show how loose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.measure.subject import Subject

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from flowzoo.models.flow import Flow
    from flowzoo.record.preset import Preset


class Elbo(Measurement):
    name, unit, lower_is_better, tolerance, label = "elbo", "nats", False, 0.05, "elbo, nats"
    meaning = "elbo is the evidence lower bound with one draw of the latent, in nats per example; higher is better."

    needs, column, column_unit = "posterior", "negative_elbo", "nats per example"

    def measure(self, subject: Subject) -> Measured:
        x, condition = subject.scored(subject.split)
        nats = subject.flow.score(x, condition, seed=subject.seed)
        return Measured.mean(nats, **subject.protocol(subject.split) | {"draws": 1})

    def validates(self, preset: Preset) -> bool:
        return True  # one draw of a model without a latent is its likelihood

    def losses(self, flow: Flow, x: np.ndarray, condition: np.ndarray | None = None) -> np.ndarray:
        return -flow.score(x, condition)

    def traced_losses(self, flow: Flow, x: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return -flow.log_prob(x, condition)
