"""A flow of the zoo as a part of another model, by the name of its family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowzoo.bijectors import Autoregressive, Chain, Invert
from flowzoo.bijectors.parametric import Parametric
from flowzoo.core.errors import closest
from flowzoo.core.transform import Transform
from flowzoo.families.family import FAMILIES
from flowzoo.families.options import Options, fields, meant

OWN = frozenset(fields(Options))  # what all families take: the model decides these


def transform(given: str | Mapping[str, Any], what: str, others: Iterable[str], features: int, **options: Any) -> Chain:
    """The transform of a family for vectors, as the family builds it.

    Args:
      given: the name of the family; or a dict of `family` and its own options, whose defaults are those of the family.
      what: the option that gave it, for errors.
      others: names of what it may be besides, for errors.
      features: of a vector.
      **options: what the model decides: `condition_features`, `seed`, `dtype`.

    Raises:
      TypeError: the family lacks an option.
      ValueError: the family is unknown, an option is wrong, or an option is given that the model sets itself.
    """
    given = {"family": given} if isinstance(given, str) else dict(given)
    family = given.pop("family")
    if family not in FAMILIES:
        names = [*others, *sorted(FAMILIES)]
        raise ValueError(f"`{what}` must be one of {names}, got {family!r}. {closest(family, names)}".rstrip())
    kind = FAMILIES[family].Options
    known = fields(kind)
    for key in given:
        if key in OWN:
            raise ValueError(f"`{what}` must leave `{key}` to the model, got {given[key]!r}. Leave it out.")
        if key not in known:
            raise TypeError(f"`{what}`: {family!r} takes no {key!r}. {meant(key, kind, given)}")
    plain = {"bits": 0} if "bits" in known else {}
    return Chain(kind(event_shape=(features,), **{**plain, **given}, **options).build())


def drawing(chain: Chain) -> Transform:
    """The same maps, maybe the other way round, so that decode, with which samples are drawn, takes one pass.

    Raises:
      TypeError: they have no inverse.
    """
    slow = any(isinstance(part, (Autoregressive, Parametric)) for part in chain.transforms)
    return Invert(chain) if slow else chain
