"""The likelihood of the test images that are shipped with flowzoo, which stand in where the data set is not here."""

from flowzoo.measure.check import Check, compared
from flowzoo.measure.likelihood import BitsPerDim, Likelihood, LogLikelihood
from flowzoo.measure.measured import Measured
from flowzoo.record.preset import Preset

SHIPPED = "the test images shipped with flowzoo"  # the split, as cards say it


class _Shipped(Likelihood):
    """The likelihood that `whole` is on the test split."""

    whole: Likelihood
    split, meaning = SHIPPED, ""

    def compare(self, card: Preset, now: Measured) -> list[Check]:
        """Against the card's number of the same images, and against that of the test split."""
        whole = self.whole
        return compared(whole.name, self.stated(card), whole.stated(card), now, self.tolerance)


class ShippedBitsPerDim(_Shipped, BitsPerDim):
    name, whole = "fixture_bits_per_dim", BitsPerDim()


class ShippedLogLikelihood(_Shipped, LogLikelihood):
    name, whole = "fixture_log_likelihood", LogLikelihood()
