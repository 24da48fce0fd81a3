"""Sources: the data of one training, from the prepared data set or, for a smoke run without it, from the fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from absl import logging

from flowzoo import data
from flowzoo.training import evaluation
from flowzoo.training.model import require_dataset
from flowzoo.training.recipe import Recipe

if TYPE_CHECKING:
    from flowzoo.zoo.preset import Preset


class Sources:
    """Training batches from any step on, the batch for `Flow.adapt`, and the validation examples.

    Args:
        preset: its `dataset` says name, bits and labels.
        recipe: the recipe.
        fixture: use the fixture's few examples if the data set isn't prepared here.

    Raises:
        PresetError: there is no such data set.
        MissingDataError: the data set isn't prepared here, and `fixture` is False.
    """

    def __init__(self, preset: Preset, recipe: Recipe, fixture: bool = False):
        require_dataset(preset)
        dataset = preset.dataset
        self.dataset, self.recipe = dataset, recipe
        self.fixture = None
        try:
            self.validation = evaluation.arrays(dataset, "validation", recipe.validation_examples)
        except data.MissingDataError:
            if not fixture:
                raise
            logging.warning("%s is not prepared here: this smoke run uses the fixture's examples.", dataset["name"])
            x, labels = data.fixture(dataset["name"])
            self.fixture = (x >> (8 - dataset["bits"]), labels if dataset["labels"] else None)
            self.validation = tuple(
                part if part is None else part[: recipe.validation_examples] for part in self.fixture
            )

    def batches(self, start_step: int) -> tf.data.Dataset:
        """The endless training stream from `start_step` on: a pure function of (recipe.seed, step)."""
        recipe = self.recipe
        if self.fixture is not None:
            parts = tuple(part for part in self.fixture if part is not None)
            stream = tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0])
            return stream.repeat().batch(recipe.batch_size).skip(start_step)
        return self._train(recipe.batch_size, epochs=None, start_step=start_step, flip=recipe.flip, drop_remainder=True)

    def first(self, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """`count` training examples in random order, for `Flow.adapt`: x and the labels or None."""
        if self.fixture is not None:
            return self._fixture_examples(count)
        batch = next(self._train(count).as_numpy_iterator())
        return batch if isinstance(batch, tuple) else (batch, None)

    def _fixture_examples(self, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        return tuple(part if part is None else part[:count] for part in self.fixture)

    def _train(
        self,
        batch_size: int,
        *,
        epochs: int | None = 1,
        start_step: int = 0,
        flip: bool = False,
        drop_remainder: bool = False,
    ) -> tf.data.Dataset:
        return data.load(
            self.dataset["name"],
            "train",
            batch_size=batch_size,
            bits=self.dataset["bits"],
            labels=self.dataset["labels"],
            shuffle=True,
            seed=self.recipe.seed,
            epochs=epochs,
            start_step=start_step,
            flip=flip,
            drop_remainder=drop_remainder,
        )
