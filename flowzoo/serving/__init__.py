"""Flows as SavedModels, for TensorFlow Serving and plain TensorFlow, and a client of a server that has them.

Each name is imported when it is first used, so that a client needs neither TensorFlow nor the families.
"""

import importlib
from typing import Any

_HOME = {
    "BadRequest": "errors",
    "Client": "client",
    "ServingError": "errors",
    "TimedOut": "errors",
    "Unavailable": "errors",
    "export": "saved_model",
    "export_preset": "preset",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'flowzoo.serving' has no attribute {name!r}. Public names: {', '.join(__all__)}.")
    return getattr(importlib.import_module(f"flowzoo.serving.{_HOME[name]}"), name)
