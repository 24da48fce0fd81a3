"""Training: Keras `fit` by a preset's recipe, with a state that survives a kill, and evaluation."""

import importlib

_HOMES = {
    "ChiefError": "training.distributed.strategy",
    "NonFiniteLoss": "training.callbacks",
    "PeerLost": "training.distributed.strategy",
    "Recipe": "record.recipe",
    "Result": "training.trainer",
    "StateError": "training.state",
    "StrategyError": "training.distributed.strategy",
    "evaluate": "measure.likelihood",
    "run": "training.stages",
}
__all__ = list(_HOMES)


def __getattr__(name: str):
    if name in _HOMES:  # when first used: all but the recipe and the launcher import TensorFlow
        return getattr(importlib.import_module(f"flowzoo.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
