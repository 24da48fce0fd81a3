"""The objectives by the names that flows and recipes give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform
from flowzoo.objectives.flow_matching import flow_matching
from flowzoo.objectives.likelihood import likelihood

# (transform, base, x, condition as conditioners take it, context) -> (batch,)
Objective = Callable[[Transform, Base, tf.Tensor, tf.Tensor | None, Context], tf.Tensor]

LIKELIHOOD = "likelihood"
OBJECTIVES: dict[str, Objective] = {LIKELIHOOD: likelihood, "flow_matching": flow_matching}


def check_objective(value: Any, what: str) -> str:
    """The name of an objective; a ValueError lists those there are."""
    if not isinstance(value, str) or value not in OBJECTIVES:
        raise ValueError(f"`{what}` must be one of {list(OBJECTIVES)}, got {value!r}.")
    return value
