"""Training: Keras `fit` by a preset's recipe, with a state that survives a kill, and evaluation."""

import importlib

_HOMES = {
    "ChiefError": "strategy",
    "NonFiniteLoss": "callbacks",
    "PeerLost": "strategy",
    "Recipe": "recipe",
    "Result": "trainer",
    "StateError": "state",
    "StrategyError": "strategy",
    "evaluate": "evaluation",
    "run": "trainer",
}
__all__ = list(_HOMES)


def __getattr__(name: str):
    if name in _HOMES:  # when first used: all but the recipe and the launcher import TensorFlow
        return getattr(importlib.import_module(f"flowzoo.training.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
