"""Batches of PyDatasets and generators, each checked as it is yielded; Keras checks none, and casts them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import keras
import numpy as np

from flowzoo.core import validation
from flowzoo.core.space import ONE, Condition, Space
from flowzoo.models.data_sets import check_data_set, require_alike, specs
from flowzoo.models.frames import is_frame


class Watch:
    """Passes on the batches whose shapes and types fit a model and the first batch.

    Args:
      x_space, condition: of the model.
      where: a prefix of the names in messages.

    Attributes:
      error: the first that it raised; TensorFlow, which asks for the batches, turns it into another.
    """

    def __init__(self, x_space: Space, condition: Condition, where: str = ""):
        self.x_space, self.condition, self.where = x_space, condition, where
        self.first, self.error = None, None

    def __call__(self, batch: Any) -> Any:
        try:
            batch = _complete(batch, self.where)
            found = specs(batch, self.where)
            check_data_set(found, self.x_space, self.condition, self.where)
            self.first = self.first or found
            require_alike(found, self.first, self.condition, self.where)
        except (TypeError, ValueError) as error:
            self.error = self.error or error
            raise
        return batch


def _complete(batch, where):
    """The batch without None, which Keras takes from data sets of arrays only; refuses what is not an array."""
    parts = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
    for part, what in zip(parts, ("x", ONE, "sample_weight"), strict=False):
        for value in part.values() if isinstance(part, dict) else (part,):
            validation.require_unmasked(value, where + what)
            if is_frame(value):
                raise TypeError(
                    f"The batches of `{where}x` must hold arrays, got a {type(value).__name__}. Pass the whole frame, "
                    "whose columns go by name, or `.to_numpy()` of each batch."
                )
    while len(parts) > 1 and parts[-1] is None:
        parts = parts[:-1]
    if len(parts) == 3 and parts[1] is None:  # weights alone
        return parts[0], np.zeros((np.shape(parts[0])[0] if np.ndim(parts[0]) else 0, 0), "float32"), parts[2]
    return batch if len(parts) == 1 and not isinstance(batch, (tuple, list)) else parts


class WatchedDataset(keras.utils.PyDataset):
    """A PyDataset whose batches are checked by the process, or thread, that makes them."""

    def __init__(self, batches: keras.utils.PyDataset, watch: Watch):
        how = {name: getattr(batches, name) for name in ("workers", "use_multiprocessing", "max_queue_size")}
        super().__init__(**how)
        self.batches, self.watch = batches, watch

    def __getitem__(self, index: int) -> Any:
        return self.watch(self.batches[index])

    @property
    def num_batches(self) -> int | None:
        return self.batches.num_batches

    def on_epoch_begin(self) -> None:
        self.batches.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.batches.on_epoch_end()


def watched(batches: Generator, watch: Watch) -> tuple[Any, Generator]:
    """The first batch of a generator, checked, and all of them, checked as they are yielded, in tuples for Keras."""
    first = next(batches, None)
    if first is None:
        raise ValueError(
            "`x` must yield batches, got a generator that has none left. It yields each batch once: make a new one, or "
            "pass a tf.data.Dataset or a PyDataset."
        )
    first = watch(first)

    def every():
        yield first if isinstance(first, (tuple, list)) else (first,)
        for batch in batches:
            yield watch(batch) if isinstance(batch, (tuple, list)) else (watch(batch),)

    return first, every()
