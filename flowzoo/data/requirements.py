"""The refusal of a data set that flowzoo does not know, or that lacks what is asked of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from flowzoo.core.errors import PresetError, closest
from flowzoo.data import specs


class Wanted(Protocol):
    """What is read of a preset."""

    dataset: Mapping[str, Any]
    training: Sequence[Mapping[str, Any]]
    source: str


def require_dataset(preset: Wanted) -> None:
    """Refuses a preset whose data set flowzoo does not know, or lacks the bits, labels or split asked for.

    Raises:
        PresetError: names what was expected and what came.
    """
    dataset, source = preset.dataset, preset.source
    name, known = dataset["name"], specs.names()
    if name not in known:
        raise PresetError(
            f"{source}: `dataset.name` must be one of {sorted(known)}, got {name!r}. {closest(name, known)}".rstrip()
        )
    facts = specs.spec(name)
    most, bits = facts.x_space.depth, specs.depth(dataset)
    if not min(most, 1) <= bits <= most:
        wanted = f"1 to {most}" if most else "0 (continuous)"
        raise PresetError(f"{source}: `dataset.bits` must be {wanted} for {name!r}, got {bits}.")
    if dataset["labels"] and specs.LABEL not in facts.conditions:
        raise PresetError(f"{source}: `dataset.labels` must be false for {name!r}, which has no labels.")
    if dataset["labels"] and dataset.get("conditions"):
        raise PresetError(
            f'{source}: give `dataset.labels` or `dataset.conditions`, not both; "label" is one of these.'
        )
    conditions, known = list(dataset.get("conditions") or ()), list(facts.conditions)
    if len(set(conditions)) < len(conditions) or not set(conditions) <= set(known):
        raise PresetError(
            f"{source}: `dataset.conditions` must be some of {known} for {name!r}, each once, got {conditions}."
        )
    for index, stage in enumerate(preset.training):
        split = stage.get("finish_split")
        if split and split not in facts.training_splits:
            raise PresetError(
                f"{source}: `training[{index}].finish_split` must be one of {facts.training_splits} for {name!r}, got "
                f"{split!r}. Validation and test are never trained on."
            )
