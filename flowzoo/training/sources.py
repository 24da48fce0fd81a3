"""Sources: the data of one training, from the prepared data set or, for a smoke run without it, from a stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from absl import logging

from flowzoo import data
from flowzoo.core.errors import PresetError
from flowzoo.core.space import Space
from flowzoo.data.computed_conditions import made
from flowzoo.data.requirements import require_dataset
from flowzoo.measure.examples import arrays
from flowzoo.modalities.registry import modality_of
from flowzoo.record.recipe import Recipe

if TYPE_CHECKING:
    from flowzoo.measure.examples import Examples
    from flowzoo.record.preset import Preset


class Sources:
    """Training batches from any step on, the batch for `Flow.adapt`, and the validation examples.

    Args:
        preset: its `dataset` says name, bits and labels.
        recipe: the recipe.
        fixture: if the data set isn't prepared here, use the fixture's few examples, or noise where there is no
            fixture.

    Raises:
        PresetError: there is no such data set, or the recipe does not suit it.
        MissingDataError: the data set isn't prepared here, and `fixture` is False.
    """

    def __init__(self, preset: Preset, recipe: Recipe, fixture: bool = False):
        require_dataset(preset)
        dataset = preset.dataset
        self.dataset, self.recipe = dataset, recipe
        self.fixture = None
        try:
            self.validation = arrays(dataset, "validation", recipe.validation_examples)
        except data.MissingDataError:
            if not fixture:
                raise
            self.fixture = _stand_in(dataset)
            self.validation = tuple(
                part if part is None else part[: recipe.validation_examples] for part in self.fixture
            )
        try:
            self.batches(0)
        except ValueError as error:
            raise PresetError(f"{preset.source}: the recipe does not suit {dataset['name']!r}: {error}") from error

    def batches(self, start_step: int) -> tf.data.Dataset:
        """The endless training stream from `start_step` on: a pure function of (recipe.seed, step).

        From step `recipe.steps - recipe.finish_steps` on it shows `recipe.finish_split`, with epochs of its own.
        """
        recipe = self.recipe
        if self.fixture is not None:
            parts = tuple(part for part in self.fixture if part is not None)
            stream = tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0])
            return stream.repeat().batch(recipe.batch_size).skip(start_step)
        turn = recipe.steps - recipe.finish_steps
        flags = {"epochs": None, "flip": recipe.flip, "shift": recipe.shift, "drop_remainder": True}
        if not recipe.finish_steps:
            return self._train("train", recipe.batch_size, start_step=start_step, **flags)
        finish = self._train(recipe.finish_split, recipe.batch_size, start_step=max(0, start_step - turn), **flags)
        if start_step >= turn:
            return finish
        train = self._train("train", recipe.batch_size, start_step=start_step, **flags)
        return train.take(turn - start_step).concatenate(finish)

    def first(self, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """`count` training examples in random order, for `Flow.adapt`: x and the labels or None."""
        if self.fixture is not None:
            return self._fixture_examples(count)
        batch = next(self._train("train", count).as_numpy_iterator())
        return batch if isinstance(batch, tuple) else (batch, None)

    def _fixture_examples(self, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        return tuple(part if part is None else part[:count] for part in self.fixture)

    def _train(self, split: str, batch_size: int, **flags: Any) -> tf.data.Dataset:
        return data.stream(self.dataset, split, batch_size=batch_size, shuffle=True, seed=self.recipe.seed, **flags)


def _stand_in(dataset: Mapping[str, Any]) -> Examples:
    facts = data.spec(dataset["name"])
    what = "the fixture's examples" if facts.shipped else "noise, as none of it may be shipped"
    logging.warning("%s is not prepared here: this smoke run uses %s.", facts.name, what)
    x_space, condition = data.spaces(dataset)
    if facts.shipped:
        return data.shipped(dataset)
    x, names = modality_of(x_space).synthetic(64, x_space), data.asked(dataset)
    given = {name: _accompanying(x, facts.conditions[name], x_space) for name in names}
    return x, condition.whole(dict(zip(condition.spaces, given.values(), strict=True)))


def _accompanying(x: np.ndarray, space: Space, x_space: Space) -> np.ndarray:
    """Labels in turn, or what is computed from x."""
    return np.arange(len(x), dtype=np.int32) % space.values if space.values else made(x, space, x_space).numpy()
