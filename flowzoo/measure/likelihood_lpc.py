"""The likelihood of audio under linear prediction: a Gaussian fitted to each frame, the baseline for waveform models.

References: Atal & Hanauer 1971, Speech analysis and synthesis by linear prediction of the speech wave; Burg 1975,
Maximum entropy spectral analysis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowzoo.measure.check import Check
from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.record.types import Count, CountFrom0, Line, NotNegative, Number, keys

if TYPE_CHECKING:
    import numpy as np

    from flowzoo.measure.subject import Subject
    from flowzoo.record.preset import Preset

ORDER, FRAME = 16, 256  # coefficients, and samples that they are fitted on
FORM = keys(
    value=Number,
    standard_error=NotNegative,
    split=Line,
    examples=Count,
    order=Count,
    frame=Count,
    seed=CountFrom0,
)


class LinearPrediction(Measurement):
    """Of (x + u) / 2^(bits - 1) with uniform u, in nats per sample; the model is not needed."""

    name, unit, lower_is_better, tolerance, form = "lpc_log_likelihood", "nats per sample", False, 1e-3, FORM
    meaning = (
        f"lpc_log_likelihood, of audio, is the likelihood under linear prediction of order {ORDER}: a Gaussian fitted "
        f"to each test frame of {FRAME} samples itself; log_likelihood_sample should be higher."
    )

    def applies(self, subject: Subject) -> bool:
        from flowzoo.modalities.registry import modality_of  # imported here and below: `flowzoo list` needs no NumPy

        space = subject.flow.x_space
        return modality_of(space).signal and subject.test is not None and space.shape[0] >= FRAME

    def measure(self, subject: Subject) -> Measured:
        values = self.values(subject)
        how = {"split": subject.split, "examples": len(values), "order": ORDER, "frame": FRAME, "seed": subject.seed}
        return Measured.mean(values, **how)

    def values(self, subject: Subject) -> np.ndarray:
        """Of each clip, (n,)."""
        import numpy as np

        x = subject.scored(subject.split)[0]
        noise = np.random.default_rng(subject.seed).uniform(size=x.shape)
        frames = ((x + noise) * 2.0 ** (1 - subject.flow.x_space.depth))[:, : x.shape[1] // FRAME * FRAME]
        return fitted(frames.reshape(-1, FRAME)).reshape(len(x), -1).mean(axis=1)

    def compare(self, card: Preset, now: Measured) -> list[Check]:
        stated = self.stated(card)["value"]
        protocol = f"order {ORDER}, frames of {FRAME} samples, {now.protocol['examples']} examples"
        return [Check(self.name, stated, now.value, self.tolerance, protocol, stated)]


def fitted(frames: np.ndarray, order: int = ORDER) -> np.ndarray:
    """Mean log-density of the samples of each frame under the autoregressive Gaussian fitted on it: (n,) nats.

    It has the frame's own mean and variance, and reflection coefficients by Burg's method, which is stable and nearer
    to the best likelihood than autocorrelations (0.1 nats on speech). Its density is exact: sample t is predicted from
    the min(t, order) samples before it.

    Args:
        frames: (n, samples) float64.
        order: of the prediction.
    """
    import numpy as np

    count, length = frames.shape
    forward = backward = frames - frames.mean(axis=1, keepdims=True)  # errors of prediction in both directions
    variance, total = (forward**2).mean(axis=1), np.zeros(count)
    for known in range(order + 1):  # samples that a prediction is made from
        errors = forward if known == order else forward[:, :1]
        total -= 0.5 * ((errors**2).sum(axis=1) / variance + errors.shape[1] * np.log(2.0 * np.pi * variance))
        forward, backward = forward[:, 1:], backward[:, :-1]
        reflection = 2.0 * (forward * backward).sum(axis=1) / (forward**2 + backward**2).sum(axis=1)
        forward, backward = forward - reflection[:, None] * backward, backward - reflection[:, None] * forward
        variance = variance * (1.0 - reflection**2)
    return total / length
