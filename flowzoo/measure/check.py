"""A number that was measured again, against the card."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowzoo.measure.measured import Entry, Measured

STANDARD_ERRORS = 3.0  # other examples of the same data


@dataclass(frozen=True)
class Check:
    """One number.

    Attributes:
        name: what it is.
        expected: what it should be: the card's value, or of an error 0.
        measured: what it is now; None if it could not be measured.
        tolerance: how far apart these may be; None where the card has nothing to compare with.
        protocol: how it was measured.
        card: the card's value; None if it has none.
        paper: the published value that the card names; None if there is none.
        renewed: whether `renew` writes what was measured, even if it is off.
    """

    name: str
    expected: float
    measured: float | None
    tolerance: float | None
    protocol: str
    card: float | None = None
    paper: float | None = None
    renewed: bool = False

    @property
    def ok(self) -> bool:
        """Whether the measured value is finite and within the tolerance."""
        if self.measured is None or not math.isfinite(self.measured):
            return False
        return self.tolerance is None or abs(self.measured - self.expected) <= self.tolerance

    @property
    def difference(self) -> float | None:
        """Measured now minus the card's; None without either."""
        return None if self.measured is None or self.card is None else self.measured - self.card


def compared(name: str, card: Entry, official: Entry, now: Measured, tolerance: float) -> list[Check]:
    """A mean against the card's on as many examples and, unless they are the same, against the official one.

    Args:
        name: what is compared.
        card: the card's entry for these examples.
        official: the card's entry for the test split.
        now: what was measured.
        tolerance: between two measurements on the same examples.
    """
    count, checks = now.protocol["examples"], []
    protocol = f"{count:,} examples, draws {card['draws']}, seed {card['seed']}"
    if count == card["examples"]:
        checks = [Check(name, card["value"], now.value, tolerance, f"{protocol}, same as the card's", card["value"])]
    if card is not official or not checks:
        spread = math.sqrt(1 + official["examples"] / count)  # the card's, as a few examples do not give their own
        tolerance = STANDARD_ERRORS * official["standard_error"] * spread
        protocol = f"{protocol}; {STANDARD_ERRORS:g} standard errors of the difference"
        value = official["value"]
        checks.append(Check(f"{name} of the test split", value, now.value, tolerance, protocol, value))
    return checks
