"""The families of models, one file each; `FAMILIES` names them."""

from flowzoo.core.errors import closest
from flowzoo.core.limits import counting
from flowzoo.families.cnf import CNF
from flowzoo.families.family import FAMILIES
from flowzoo.families.ffjord import FFJORD
from flowzoo.families.flow_matching import FlowMatching
from flowzoo.families.funnel import Funnel
from flowzoo.families.glow import Glow
from flowzoo.families.iaf import IAF
from flowzoo.families.maf import MAF
from flowzoo.families.maf_mog import MAFMoG
from flowzoo.families.nice import NICE
from flowzoo.families.nsf_autoregressive import NSFAutoregressive
from flowzoo.families.nsf_coupling import NSFCoupling
from flowzoo.families.planar import PlanarFlow
from flowzoo.families.radial import RadialFlow
from flowzoo.families.realnvp import RealNVP
from flowzoo.families.survae import SurVAE
from flowzoo.families.svae import SVAE
from flowzoo.families.sylvester import SylvesterFlow
from flowzoo.families.vae import VAE
from flowzoo.families.waveflow import WaveFlow
from flowzoo.models.flow import Flow

FAMILIES |= {
    "cnf": CNF,
    "ffjord": FFJORD,
    "flow-matching": FlowMatching,
    "funnel": Funnel,
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
    "survae": SurVAE,
    "sylvester": SylvesterFlow,
    "svae": SVAE,
    "vae": VAE,
    "waveflow": WaveFlow,
}


def create(family: str, **config) -> Flow:
    """A new, untrained flow of a family by its name, e.g. create("realnvp", event_shape=(2,)).

    Flows on continuous vectors get `standardize=True`, unless it is given: `adapt`, or the first `fit`, takes shift and
    scale of each column from data, so that units don't matter: columns of 1e-6, 1e6 and 1.7e9 train alike. Their x is
    float64, so `sample` and `decode` return float64 (`flow.data_dtype`). The constructors, such as `flows.MAF`, and
    presets, whose JSON lacks the key, leave it off. `bounds=[[0, 1], None, [0, None]]` says where columns lie; outside
    log p(x) is -inf.

    Args:
      family: a key of `FAMILIES`.
      **config: keywords of the family's constructor; `Family` has those that all families of vectors share.

    Raises:
      ValueError: the family is unknown, an option is wrong, or the flow would have too many weights.
      TypeError: the family takes no such keyword.
    """
    if family not in FAMILIES:
        hint = closest(str(family), FAMILIES)
        raise ValueError(f"`family` must be one of {sorted(FAMILIES)}, got {family!r}. {hint}".rstrip())
    kind = FAMILIES[family].Options
    if not config.get("bits", getattr(kind, "bits", 0)):
        config = {"standardize": True, **config}
    with counting():
        return FAMILIES[family](**config)


__all__ = ["FAMILIES", "create", *sorted(family.__name__ for family in FAMILIES.values())]
