"""Recipe: one stage of the checked `training` part of a preset, which is a list of them."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired

from msgspec import Meta

from flowzoo.record.types import (
    HUGE,
    NAME,
    Count,
    CountFrom0,
    Flag,
    Line,
    NotNegative,
    fault,
    keys,
    one_of,
    text,
    whole,
)

STAGES = 100  # of a training, at most
START = rf"{NAME}(@[1-9][0-9]{{0,8}})?"  # a preset, as `flowzoo.load` takes it
OPTIMIZERS = {"adam": "Adam", "adamax": "Adamax", "adamw": "AdamW", "lion": "Lion", "sgd": "SGD"}  # Keras' names


def names_preset(start: str) -> bool:
    """Whether what a training started from is a preset, with or without revision, and not a file of weights."""
    return bool(re.fullmatch(START, start)) and not start.endswith(".h5")


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
    """How a flow is trained in one stage; everything a re-run needs besides the model, the data and the machine.

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
        shift: move training images at random, by up to this many pixels along both sides.
        conditioner_dtype: Keras dtype policy of the conditioners in training, "" for the model's own.
        validate_every: steps between validations.
        validation_examples: how many of the validation split, from its start.
        validation: what validations measure, which picks the best weights: a measurement of `flowzoo.measure.registry`;
            "" for the number that stands for the model on its card.
        patience: stop after this many validations without a better one; 0 for never.
        adapt_examples: training examples for the data-dependent initialisation; 0 for none.
        jit_compile: compile log_prob with XLA.
        objective: what is minimised, as `flowzoo.objectives.registry` names it, maybe with options, such as
            "dreg(draws=5)"; "" for the model's own.
        finish_split: what the last `finish_steps` draw from instead of "train"; "" for "train" to the end.
        finish_steps: how many of `steps`; 0 with `finish_split` "".
        start: of the first stage: the preset to start from, such as "glow-mnist@1"; "" for new weights. A later stage
            starts from the best weights of the one before.
        config: changes to the preset's config, by which an earlier stage trains a simpler flow; {} in the last.
    """

    steps: Count
    batch_size: Count = 64
    seed: Annotated[int, whole(-(2**63))] = 0
    optimizer: Annotated[str, one_of(*OPTIMIZERS)] = "adam"
    learning_rate: Annotated[float, Meta(gt=0, le=HUGE, description="a finite number > 0")] = 1e-3
    warmup_steps: CountFrom0 = 0
    decay: Annotated[str, one_of("cosine", "constant")] = "cosine"
    final_learning_rate: NotNegative = 0.0
    clip_norm: NotNegative = 0.0
    ema: Annotated[float, Meta(ge=0, lt=1, description="a number from 0 to below 1")] = 0.0
    flip: Flag = False
    shift: CountFrom0 = 0
    conditioner_dtype: Line = ""
    validate_every: Count = 500
    validation_examples: Count = 5000
    validation: Line = ""
    patience: CountFrom0 = 0
    adapt_examples: CountFrom0 = 512
    jit_compile: Flag = False
    objective: Line = ""
    finish_split: Line = ""
    finish_steps: CountFrom0 = 0
    start: Annotated[str, text(f"({START})?", "a preset's name, with or without @revision, or ''")] = ""
    config: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if wrong := fault(self.to_dict(), TRAINING, "training"):
            raise ValueError(wrong)
        _require(self.finish_steps <= self.steps, "finish_steps", "0 to `steps`", self.finish_steps)
        _require(not (self.patience and self.finish_steps), "patience", "0 with `finish_steps`", self.patience)
        wanted = "named where `finish_steps` is above 0, and nowhere else"
        _require(bool(self.finish_split) == bool(self.finish_steps), "finish_split", wanted, self.finish_split)

    @classmethod
    def from_dict(cls, training: Mapping[str, Any]) -> "Recipe":
        """Reads one stage of the `training` part of a preset.

        Raises:
            ValueError: an unknown key, no `steps`, or a value out of range.
        """
        training = {key: value for key, value in training.items() if value is not None}
        if wrong := fault(training, TRAINING, "training"):
            raise ValueError(wrong)
        return cls(**training)

    @property
    def decay_steps(self) -> int:
        """Steps after the warm-up."""
        return self.steps - min(self.warmup_steps, self.steps - 1)

    def smoke(self) -> "Recipe":
        """The same recipe, shortened to see in seconds whether everything runs."""
        return dataclasses.replace(
            self, steps=4, batch_size=8, warmup_steps=min(self.warmup_steps, 2), validate_every=2,
            validation_examples=16, adapt_examples=min(self.adapt_examples, 16), patience=0,
            finish_steps=min(self.finish_steps, 2),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, as in a preset."""
        return dataclasses.asdict(self)


def staged(training: Any) -> Any:
    """`training` as a list of stages: a plain object, as presets had it before there were stages, is the only one."""
    return [training] if isinstance(training, Mapping) else training


def recipes(training: Sequence[Mapping[str, Any]]) -> list[Recipe]:
    """The stages of a preset's `training`, in order.

    Raises:
        ValueError: what `Recipe.from_dict` refuses, or a later stage has a `start`, or the last one a `config`.
    """
    found, last = [], len(training) - 1
    for index, stage in enumerate(training):
        try:
            recipe = Recipe.from_dict(stage)
        except ValueError as error:
            raise ValueError(f"{error} (Stage {index + 1} of {last + 1}.)" if last else str(error)) from error
        _require(not (index and recipe.start), "start", "'' after the first stage", recipe.start, index)
        _require(index < last or not recipe.config, "config", "{} in the last stage", recipe.config, index)
        found.append(recipe)
    return found


TRAINING = keys(
    **{
        key.name: key.type if key.name == "steps" else NotRequired[key.type]  # all others have a default
        for key in dataclasses.fields(Recipe)
    }
)


def _require(holds: bool, name: str, wanted: str, got: Any, index: int | None = None) -> None:
    if not holds:
        where = "" if index is None else f"[{index}]"
        raise ValueError(f"`training{where}.{name}` must be {wanted}, got {got!r}.")
