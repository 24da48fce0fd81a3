"""What training minimises, one file each; the likelihood, which every flow has, is the default."""

from collections.abc import Callable
from typing import Any

from flowzoo.objectives.flow_matching import flow_matching

LIKELIHOOD = "likelihood"
# (transform, base, x, condition, context) -> (batch,)
OBJECTIVES: dict[str, Callable] = {"flow_matching": flow_matching}


def check_objective(value: Any, what: str) -> str:
    """The name of an objective, or a ValueError that has those known."""
    if value not in (known := [LIKELIHOOD, *sorted(OBJECTIVES)]):
        raise ValueError(f"`{what}` must be one of {known}, got {value!r}.")
    return value
