"""The likelihood of the test images that are shipped with flowzoo, which stand in where the data set is not here."""

from flowzoo.measure.check import Check, compared
from flowzoo.measure.likelihood import BitsPerDim
from flowzoo.measure.measured import Measured
from flowzoo.record.preset import Preset

SHIPPED = "the test images shipped with flowzoo"  # the split, as cards say it


class ShippedBitsPerDim(BitsPerDim):
    name, split, meaning = "fixture_bits_per_dim", SHIPPED, ""

    def compare(self, card: Preset, now: Measured) -> list[Check]:
        """Against the card's number of the same images, and against that of the test split."""
        whole = BitsPerDim()
        return compared(whole.name, self.stated(card), whole.stated(card), now, self.tolerance)
