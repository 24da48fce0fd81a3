"""What is measured: the flow of a preset on its examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowzoo.measure.losses import losses

if TYPE_CHECKING:
    import numpy as np

    from flowzoo.measure.examples import Examples
    from flowzoo.models.flow import Flow
    from flowzoo.record.preset import Preset

ROWS = 500  # of a batch


@dataclass
class Subject:
    """A flow, its examples, and how it is measured.

    Attributes:
        preset: for the data set and what is published.
        flow: the flow.
        splits: the examples that are here, by name; numbers that a card has once are measured on the first.
        draws: of the noise, per example.
        seed: of the noise.
        limit: score this many examples only; None for all.
        weights: which weights these are, "ema" or "raw".
        exhaustive: measure what takes minutes, too.
        progress: show bars, on stderr, if it is a terminal.
        data_dir: TFDS' folder, from which the splits come; TFDS' default if not given.
    """

    preset: Preset
    flow: Flow
    splits: dict[str, Examples]
    draws: int = 1
    seed: int = 0
    limit: int | None = None
    weights: str = ""
    exhaustive: bool = True
    progress: bool = False
    data_dir: str | None = None
    _losses: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def split(self) -> str | None:
        """The name of the first of `splits`; None without examples."""
        return next(iter(self.splits), None)

    @property
    def test(self) -> Examples | None:
        """The test split, or what stands in for it; None without examples."""
        return self.splits[self.split] if self.splits else None

    def scored(self, split: str) -> Examples:
        """The examples of a split that are scored."""
        x, condition = self.splits[split]
        return x[: self.limit], self.flow.condition.rows(condition, slice(self.limit))

    def batches(self, split: str) -> Iterator[Examples]:
        """The examples of a split that are scored, `ROWS` at a time."""
        x, condition = self.scored(split)
        for start in range(0, len(x), ROWS):
            part = slice(start, start + ROWS)
            yield x[part], self.flow.condition.rows(condition, part)

    def losses(self, split: str) -> np.ndarray:
        """-log p(x) of the examples of a split, as `losses.losses`, computed once."""
        if split not in self._losses:
            how = {"seed": self.seed, "samples": self.draws, "progress": self.progress}
            self._losses[split] = losses(self.flow, *self.scored(split), **how)
        return self._losses[split]

    def protocol(self, split: str) -> dict[str, Any]:
        """How a mean over a split is measured, as cards say it."""
        return {
            "kind": self.flow.kind,
            "draws": self.draws,
            "seed": self.seed,
            "split": split,
            "examples": len(self.scored(split)[0]),
            "bits": self.flow.x_space.depth,
            "temperature": 1.0,
            "weights": self.weights,
        }
