"""Flows: the model and its families."""

import difflib

from flowzoo.flows.base import Flow
from flowzoo.flows.glow import Glow
from flowzoo.flows.realnvp import RealNVP

FAMILIES = {
    "glow": Glow,
    "realnvp": RealNVP,
}


def create(family: str, **config) -> Flow:
    """A new, untrained flow of a family by its name, e.g. create("realnvp", event_shape=(2,)).

    Raises:
      ValueError: there is no such family.
      TypeError: the family takes no such keyword.
    """
    if family not in FAMILIES:
        near = difflib.get_close_matches(str(family), FAMILIES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"`family` must be one of {sorted(FAMILIES)}, got {family!r}.{hint}")
    return FAMILIES[family](**config)


__all__ = ["FAMILIES", "Flow", "Glow", "RealNVP", "create"]
