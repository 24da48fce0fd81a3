"""The bases that a flat configuration can name."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from flowzoo.bases.base import Base
from flowzoo.bases.conditional import ClassConditional
from flowzoo.bases.logistic import Logistic
from flowzoo.bases.mixture import GaussianMixture
from flowzoo.bases.normal import DiagonalNormal, StandardNormal
from flowzoo.bases.sphere import UniformSphere
from flowzoo.bases.student import StudentT

NAMED = {
    "normal": StandardNormal,
    "diagonal": DiagonalNormal,
    "logistic": Logistic,
    "mixture": GaussianMixture,
    "student": functools.partial(StudentT, learned=True),
    "class-conditional": ClassConditional,
}
ON_SPHERE = {"sphere": UniformSphere}  # for latents on the unit sphere, and for no others


def named(name: str, event_shape: Sequence[int], *, classes: int = 0, dtype: str = "float32") -> Base:
    """The base of a key of `NAMED` or `ON_SPHERE`, with its class's defaults; "student" learns its degrees of freedom.

    Raises:
      ValueError: any other name, or "class-conditional" without `classes`.
    """
    known = NAMED | ON_SPHERE
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"`base` must be one of {', '.join(map(repr, known))}, got {name!r}.")
    if known[name] is not ClassConditional:
        return known[name](event_shape, dtype=dtype)
    if not classes:
        raise ValueError("`base` 'class-conditional' needs `classes`, got 0. Give the number of classes.")
    return ClassConditional(event_shape, classes, dtype=dtype)
