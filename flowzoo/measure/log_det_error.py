"""The error of a flow's log-determinant against that of its whole Jacobian by autodiff, for one example."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flowzoo.core.bars import bar
from flowzoo.measure.check import Check
from flowzoo.measure.examples import inputs
from flowzoo.measure.measured import NOTED, Measured
from flowzoo.measure.measurement import Measurement

if TYPE_CHECKING:
    import numpy as np

    from flowzoo.measure.subject import Subject
    from flowzoo.models.flow import Flow
    from flowzoo.record.preset import Preset

BOUND = 0.05  # nats, from float32 over all dimensions of one example
LARGE = 4096  # dimensions; above it, one Jacobian takes minutes and gigabytes
_ROWS = 56  # rows of the Jacobian per pass: memory of a training batch of that size


class LogDetError(Measurement):
    name, unit, form = "log_det_error", "nats", NOTED

    def applies(self, subject: Subject) -> bool:
        return subject.flow.raw.inverts

    def left_out(self, subject: Subject) -> str:
        if subject.exhaustive or subject.flow.dims <= LARGE:
            return ""
        return f"{self.name}: a Jacobian of {subject.flow.dims:,} dimensions takes long; --exhaustive measures it"

    def measure(self, subject: Subject) -> Measured:
        (x, condition), what = inputs(subject.preset, subject.flow)
        first = subject.flow.condition.rows(condition, slice(1))
        error = log_det_error(subject.flow, x[:1], first, progress=subject.progress)
        note = f"nats, against log |det| of the autodiff Jacobian, the first of the {what}, float32"
        return Measured(error, protocol={"note": note})

    def compare(self, card: Preset, now: Measured) -> list[Check]:
        stated = self.stated(card)["value"]
        return [Check(self.name, 0.0, now.value, BOUND, "against autodiff, 1 example, nats", stated)]


def log_det_error(flow: Flow, x: np.ndarray, condition: np.ndarray | None = None, *, progress: bool = False) -> float:
    """|log_det - log |det J|| in nats for one example, J being the autodiff Jacobian of the exact part of the flow.

    Args:
        flow: the flow.
        x: (1, *event_shape), one example in native units; the middle of its bin stands for an integer.
        condition: (1,) label or (1, features), if the flow takes one.
        progress: show a bar, on stderr, if it is a terminal.
    """
    import numpy as np
    import tensorflow as tf

    bijection = flow.bijection
    y = tf.cast(x, bijection.event_dtype)
    y = (y + 0.5) / flow.x_space.values if flow.x_space.values else y
    condition = flow.raw.features(condition)
    size = math.prod(bijection.event_shape)

    @tf.function(autograph=False)
    def jacobian_rows(picks):  # row i of the result is the gradient of latent entry picks[i]
        rows = tf.repeat(y, _ROWS, axis=0)
        repeated = None if condition is None else tf.repeat(condition, _ROWS, axis=0)
        with tf.GradientTape() as tape:
            tape.watch(rows)
            z = tf.reshape(bijection.encode(rows, repeated)[0], [_ROWS, size])
            picked = tf.reduce_sum(z * tf.one_hot(picks, size, dtype=z.dtype))
        return tf.reshape(tape.gradient(picked, rows), [_ROWS, size])

    parts = []
    with bar(size, "Jacobian", shown=progress) as done:
        for start in range(0, size, _ROWS):
            picks = tf.constant(np.minimum(np.arange(start, start + _ROWS), size - 1), tf.int32)
            parts.append(jacobian_rows(picks).numpy())
            done.update(min(_ROWS, size - start))
    jacobian = np.concatenate(parts)[:size]
    expected = np.linalg.slogdet(jacobian.astype(np.float64))[1]
    found = tf.function(bijection.encode, autograph=False)(y, condition)[1].numpy()[0]
    return float(abs(found - expected))
