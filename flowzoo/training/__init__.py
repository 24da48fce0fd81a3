"""Training: Keras `fit` by a preset's recipe, with a state that survives a kill, and evaluation."""

import importlib

_HOMES = {
    "ChiefError": "flowzoo.training.distributed.strategy",
    "NonFiniteLoss": "flowzoo.training.callbacks",
    "PeerLost": "flowzoo.training.distributed.strategy",
    "Recipe": "flowzoo.record.recipe",
    "Result": "flowzoo.training.trainer",
    "StateError": "flowzoo.training.state",
    "StrategyError": "flowzoo.training.distributed.strategy",
    "evaluate": "flowzoo.measure.likelihood",
    "run": "flowzoo.training.stages",
}
__all__ = list(_HOMES)


def __getattr__(name: str):
    if name in _HOMES:  # when first used: all but the recipe and the launcher import TensorFlow
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
