"""How many entries of the latent a model uses.

Reference: Burda et al. 2016, Importance weighted autoencoders, arXiv:1509.00519.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowzoo.measure.check import Check
from flowzoo.measure.measured import NOTED, Measured
from flowzoo.measure.measurement import Measurement
from flowzoo.measure.subject import Subject
from flowzoo.record.preset import Preset

if TYPE_CHECKING:
    import numpy as np

LEAST = 0.01  # variance of the posterior mean over examples, as in the paper


class ActiveUnits(Measurement):
    name, form, lower_is_better, label = "active_units", NOTED, False, "active units"
    needs = "posterior_mean"
    meaning = "active_units is the number of latents whose posterior mean has variance above 0.01 over examples."

    def measure(self, subject: Subject) -> Measured:
        import numpy as np

        means = [subject.flow.posterior_mean(*batch).numpy() for batch in subject.batches(subject.split)]
        means = np.concatenate(means)
        variances = unit_variances(means)
        where = f"over {len(means):,} examples of {subject.split}"
        note = f"of {variances.size} latents, variance of the posterior mean {where} above {LEAST}"
        return Measured(int((variances > LEAST).sum()), protocol={"note": note})

    def compare(self, card: Preset, now: Measured) -> list[Check]:
        stated = self.stated(card)["value"]
        return [Check(self.name, stated, now.value, 0.5, now.protocol["note"], stated)]


def unit_variances(means: np.ndarray) -> np.ndarray:
    """The variance over rows of each unit's posterior mean: (n, *latent_shape) -> (units,)."""
    return means.reshape(len(means), -1).var(axis=0)
