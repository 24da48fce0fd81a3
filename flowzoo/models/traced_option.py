"""Options of a flow that Keras' functions see only when they are traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class TracedOption:
    """An attribute of a Keras model that is checked when set, and seen by the next step even after the first `fit`.

    It is not part of the model's configuration, unless that says so.

    Args:
      default: its value until it is set.
      check: (value, name) -> value, or raises.
    """

    def __init__(self, default: Any, check: Callable[[Any, str], Any]):
        self.default, self.check = default, check

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, model, owner=None):
        return self.default if model is None else vars(model).get(self.name, self.default)

    def __set__(self, model, value):
        vars(model)[self.name] = self.check(value, self.name)
        for kind in ("train", "test", "predict"):
            if getattr(model, f"{kind}_function") is not None:  # traced with the old value; never None within a `fit`
                getattr(model, f"make_{kind}_function")(force=True)
