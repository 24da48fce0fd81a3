"""Flows as SavedModels, for TensorFlow Serving and plain TensorFlow, and a client for such servers.

Each name is imported when it is first used, so that a client needs neither TensorFlow nor the families.
"""

import importlib
from typing import Any

_HOME = {
    "BadRequest": "flowzoo.serving.errors",
    "Client": "flowzoo.serving.client",
    "ServingError": "flowzoo.serving.errors",
    "TimedOut": "flowzoo.serving.errors",
    "Unavailable": "flowzoo.serving.errors",
    "export": "flowzoo.serving.saved_model",
    "export_preset": "flowzoo.serving.servable",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'flowzoo.serving' has no attribute {name!r}. Public names: {', '.join(__all__)}.")
    return getattr(importlib.import_module(_HOME[name]), name)
