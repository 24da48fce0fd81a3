"""Recipe: the checked `training` part of a preset."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

OPTIMIZERS = {"adam": "Adam", "adamax": "Adamax", "adamw": "AdamW", "lion": "Lion", "sgd": "SGD"}  # Keras' names


def check_limits(**limits: float | None) -> None:
    """Refuses a limit of steps or minutes that is not None and not at least 0.

    Raises:
        ValueError: names the limit.
    """
    for name, limit in limits.items():
        if limit is not None and not limit >= 0:  # NaN neither
            raise ValueError(f"`{name}` must be at least 0, got {limit}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a flow is trained; everything a re-run needs beside the model, the data and the machine.

    Args:
        seed: of data order, flips, shifts and noise. (The initial weights have their own seed in the model's config.)
        batch_size: examples per step.
        steps: optimizer steps; the learning-rate schedule spans all of them.
        optimizer: a key of `OPTIMIZERS`.
        learning_rate: the peak.
        warmup_steps: linear rise from `learning_rate` / `warmup_steps` to the peak.
        decay: "cosine" to `final_learning_rate` at `steps`, or "constant".
        final_learning_rate: the end of the decay.
        clip_norm: bound on the global norm of the gradient; 0 for none.
        ema: momentum of the moving average of the weights; 0 for none. After t steps it is at most t / (10 + t), so
            that the initial weights are soon forgotten.
        flip: mirror training images at random.
        shift: move training images at random by up to so many pixels along both sides.
        conditioner_dtype: Keras dtype policy of the conditioners in training, "" for the model's own.
        validate_every: steps between validations.
        validation_examples: how many of the validation split, from its start.
        patience: stop after so many validations without a better one; 0 for never.
        adapt_examples: training examples for the data-dependent initialisation; 0 for none.
        jit_compile: compile log_prob with XLA.
        objective: what is minimised, a key of `flowzoo.objectives` or "likelihood"; "" for the family's own.
        finish_split: what the last `finish_steps` draw from instead of "train", "" for nothing else.
        finish_steps: how many of `steps`; 0 with `finish_split` "".
    """

    steps: int
    batch_size: int = 64
    seed: int = 0
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    warmup_steps: int = 0
    decay: str = "cosine"
    final_learning_rate: float = 0.0
    clip_norm: float = 0.0
    ema: float = 0.0
    flip: bool = False
    shift: int = 0
    conditioner_dtype: str = ""
    validate_every: int = 500
    validation_examples: int = 5000
    patience: int = 0
    adapt_examples: int = 512
    jit_compile: bool = False
    objective: str = ""
    finish_split: str = ""
    finish_steps: int = 0

    def __post_init__(self):
        for name in ("steps", "batch_size", "validate_every", "validation_examples"):
            _require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("warmup_steps", "final_learning_rate", "clip_norm", "patience", "adapt_examples", "shift"):
            _require(getattr(self, name) >= 0, name, "at least 0", getattr(self, name))
        _require(self.learning_rate > 0, "learning_rate", "above 0", self.learning_rate)
        _require(0 <= self.ema < 1, "ema", "in [0, 1)", self.ema)
        _require(self.optimizer in OPTIMIZERS, "optimizer", f"one of {sorted(OPTIMIZERS)}", self.optimizer)
        _require(0 <= self.finish_steps <= self.steps, "finish_steps", "0 to `steps`", self.finish_steps)
        _require(not (self.patience and self.finish_steps), "patience", "0 with `finish_steps`", self.patience)
        wanted = "named where `finish_steps` is above 0, and nowhere else"
        _require(bool(self.finish_split) == bool(self.finish_steps), "finish_split", wanted, self.finish_split)
        _require(self.decay in ("cosine", "constant"), "decay", "'cosine' or 'constant'", self.decay)

    @classmethod
    def from_dict(cls, training: Mapping[str, Any]) -> Recipe:
        """Reads the `training` part of a preset.

        Raises:
            ValueError: an unknown key, no `steps`, or a value out of range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(training) - set(known))
        if unknown:
            raise ValueError(f"`training` has unknown keys {unknown}. Known: {known}.")
        if "steps" not in training:
            raise ValueError("`training` must have `steps`, the number of optimizer steps.")
        return cls(**{key: value for key, value in training.items() if value is not None})

    @property
    def decay_steps(self) -> int:
        """Steps after the warm-up."""
        return self.steps - min(self.warmup_steps, self.steps - 1)

    def smoke(self) -> Recipe:
        """The same recipe, shortened to see in seconds whether everything runs."""
        return dataclasses.replace(
            self, steps=4, batch_size=8, warmup_steps=min(self.warmup_steps, 2), validate_every=2,
            validation_examples=16, adapt_examples=min(self.adapt_examples, 16), patience=0,
            finish_steps=min(self.finish_steps, 2),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, as in a preset."""
        return dataclasses.asdict(self)


def _require(holds: bool, name: str, wanted: str, got: Any) -> None:
    if not holds:
        raise ValueError(f"`training.{name}` must be {wanted}, got {got!r}.")
