"""The objectives by the names that flows and recipes give them."""

from __future__ import annotations

import ast
import functools
import inspect
import math
import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.core.checks import check_count, check_number
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform
from flowzoo.objectives.chi import chi
from flowzoo.objectives.flow_matching import flow_matching
from flowzoo.objectives.importance_weighted import dreg, iwae, renyi
from flowzoo.objectives.likelihood import likelihood
from flowzoo.objectives.wake_sleep import rws

# (transform, base, x, condition as conditioners take it, context) -> (batch,)
Objective = Callable[[Transform, Base, tf.Tensor, tf.Tensor | None, Context], tf.Tensor]

LIKELIHOOD = "likelihood"
OBJECTIVES: dict[str, Objective] = {
    LIKELIHOOD: likelihood,
    "flow_matching": flow_matching,
    "iwae": iwae,
    "dreg": dreg,
    "renyi": renyi,
    "chi": chi,
    "rws": rws,
}
LEAST = {"n": 2}  # of options that count, which are at least 1; of order 1, CUBO is the evidence and teaches q nothing
MOST = {"sleep": 1.0}  # of other numbers, which are at least 0


@functools.cache
def objective(text: str) -> Objective:
    """The objective of a name, maybe with options, as in "renyi(alpha=0.5, draws=20)".

    Raises:
      ValueError: the name is not that of an objective, or an option is unknown or out of bounds.
    """
    name, _, options = text.partition("(")
    found = OBJECTIVES.get(name)
    if found is None or (options and not options.endswith(")")):
        known = ", ".join(_form(name) for name in OBJECTIVES)
        raise ValueError(f"must be one of {known}, got {text!r}")
    given = re.findall(r"(\w+)\s*=\s*([^,\s]+)", options[:-1])
    rest = re.sub(r"\w+\s*=\s*[^,\s]+|[,\s]", "", options[:-1])
    if rest or not {key for key, _ in given} <= _defaults(name).keys():
        raise ValueError(f"must be of the form {_form(name)}, got {text!r}")
    try:
        return functools.partial(found, **{key: _checked(key, value, _defaults(name)[key]) for key, value in given})
    except ValueError as error:
        raise ValueError(f"must be of the form {_form(name)}, got {text!r}: {str(error).rstrip('.')}") from None


def check_objective(value: Any, what: str) -> str:
    """The name of an objective, as `objective` takes it; a ValueError lists those there are."""
    try:
        objective(value if isinstance(value, str) else repr(value))
    except ValueError as error:
        raise ValueError(f"`{what}` {error}.") from None
    return value


def _defaults(name):
    parameters = inspect.signature(OBJECTIVES[name]).parameters.values()
    return {one.name: one.default for one in parameters if one.kind == inspect.Parameter.KEYWORD_ONLY}


def _form(name):
    options = ", ".join(f"{key}={value}" for key, value in _defaults(name).items())
    return f"'{name}({options})'" if options else f"'{name}'"


def _checked(key, text, default):
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if isinstance(default, int):
        return check_count(value, key, LEAST.get(key, 1))
    if check_number(value, key, zero=True) > MOST.get(key, math.inf):
        raise ValueError(f"`{key}` must be at most {MOST[key]}, got {value!r}.")
    return float(value)
