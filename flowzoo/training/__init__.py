"""Training: Keras `fit` by a preset's recipe, with a state that survives a kill, and evaluation."""

import importlib

_HOMES = {
    "NonFiniteLoss": "callbacks",
    "Recipe": "recipe",
    "Result": "trainer",
    "StateError": "state",
    "evaluate": "evaluation",
    "run": "trainer",
}
__all__ = list(_HOMES)


def __getattr__(name: str):
    if name in _HOMES:  # when first used: all but the recipe import TensorFlow
        return getattr(importlib.import_module(f"flowzoo.training.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
