"""Flows: the model and its families."""

import inspect

from flowzoo.errors import nearest
from flowzoo.flows.base import Flow
from flowzoo.flows.cnf import CNF
from flowzoo.flows.ffjord import FFJORD
from flowzoo.flows.glow import Glow
from flowzoo.flows.hints import meant
from flowzoo.flows.iaf import IAF
from flowzoo.flows.maf import MAF
from flowzoo.flows.maf_mog import MAFMoG
from flowzoo.flows.nice import NICE
from flowzoo.flows.nsf_autoregressive import NSFAutoregressive
from flowzoo.flows.nsf_coupling import NSFCoupling
from flowzoo.flows.planar import PlanarFlow
from flowzoo.flows.radial import RadialFlow
from flowzoo.flows.realnvp import RealNVP
from flowzoo.limits import counting

FAMILIES = {
    "cnf": CNF,
    "ffjord": FFJORD,
    "glow": Glow,
    "iaf": IAF,
    "maf": MAF,
    "maf-mog": MAFMoG,
    "nice": NICE,
    "nsf-ar": NSFAutoregressive,
    "nsf-coupling": NSFCoupling,
    "planar": PlanarFlow,
    "radial": RadialFlow,
    "realnvp": RealNVP,
}


def create(family: str, **config) -> Flow:
    """A new, untrained flow of a family by its name, e.g. create("realnvp", event_shape=(2,)).

    Raises:
      ValueError: there is no such family, an option is wrong, or the flow would have too many weights.
      TypeError: the family takes no such keyword.
    """
    if family not in FAMILIES:
        raise ValueError(
            f"`family` must be one of {sorted(FAMILIES)}, got {family!r}. {nearest(str(family), FAMILIES)}"
        )
    known = inspect.signature(FAMILIES[family]).parameters
    bits = config.get("bits", known["bits"].default if "bits" in known else 0)
    for key in config.keys() - known.keys():
        raise TypeError(f"The family {family!r} takes no {key!r}. {meant(key, known, bool(bits))}")
    with counting():
        return FAMILIES[family](**config)


__all__ = ["FAMILIES", "Flow", "create", *sorted(family.__name__ for family in FAMILIES.values())]
