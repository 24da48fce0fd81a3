"""What `fit` minimises and reports, and what it can't."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from flowzoo.core.space import Space, in_nats


@keras.saving.register_keras_serializable(package="flowzoo")
class NegativeLogLikelihood(keras.losses.Loss):
    """-log p(x) / D in nats per dimension, averaged over the batch; `y_pred` is log p(x), `y_true` is ignored.

    A Loss, not a mean in the train step: only then does Keras scale it correctly under `tf.distribute`.

    Args:
      dims: D, the number of dimensions of one x.
    """

    def __init__(self, dims: int = 1, name: str = "negative_log_likelihood", **kwargs):
        super().__init__(name=name, **kwargs)
        self.dims = int(dims)

    def call(self, y_true, y_pred) -> tf.Tensor:
        return -y_pred / self.dims

    def get_config(self) -> dict:
        return {**super().get_config(), "dims": self.dims}


@keras.saving.register_keras_serializable(package="flowzoo")
class BitsPerDim(keras.metrics.Mean):
    """-log p(x) / (D ln 2), averaged over all examples seen."""

    def __init__(self, dims: int = 1, name: str = "bits_per_dim", dtype: str | None = None):
        super().__init__(name=name, dtype=dtype)
        self.dims = int(dims)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        return super().update_state(tf.cast(-y_pred, self.dtype) / (self.dims * math.log(2.0)), sample_weight)

    def get_config(self) -> dict:
        return {**super().get_config(), "dims": self.dims}


@keras.saving.register_keras_serializable(package="flowzoo")
class Nats(keras.metrics.Mean):
    """-log p(x) in nats, averaged over all examples seen."""

    def __init__(self, name: str = "nats", dtype: str | None = None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        return super().update_state(tf.cast(-y_pred, self.dtype), sample_weight)


def likelihood_metric(space: Space, dims: int) -> keras.metrics.Metric:
    """The likelihood of data of a space, in the unit in which it is stated."""
    return Nats() if in_nats(space.depth) else BitsPerDim(dims)


def require_no_target(given: Any, what: str, default: str) -> None:
    """Refuses Keras' own losses and metrics, which compare an output with a target: here both are log p(x).

    Args:
      given: one, or several in lists or dicts, as `compile` takes them.
      what: the name of the argument.
      default: what to pass instead.
    """
    for part in keras.tree.flatten(given):
        module = getattr(getattr(part, "fn", part), "__module__", "")  # of a loss that Keras made of a function
        if isinstance(part, str) or f"{module}.".startswith("keras."):
            got = repr(part) if isinstance(part, str) else getattr(part, "__name__", type(part).__name__)
            raise ValueError(
                f"`{what}` must be a function of log p(x), its second argument, got {got}, which compares it with a "
                f"target: a flow has none, so nothing would be learnt from it. Leave it out for {default}."
            )
