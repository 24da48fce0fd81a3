"""Training: Keras `fit` by a preset's recipe, with a state that survives a kill, and evaluation."""

from flowzoo.training.callbacks import NonFiniteLoss
from flowzoo.training.evaluation import evaluate
from flowzoo.training.recipe import Recipe
from flowzoo.training.state import StateError
from flowzoo.training.trainer import Result, run

__all__ = ["NonFiniteLoss", "Recipe", "Result", "StateError", "evaluate", "run"]
