"""Conditions that are computed from an example itself, such as the spectrogram of a waveform."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flowzoo.core.space import Condition, Space
from flowzoo.modalities import audio
from flowzoo.modalities.registry import modality_of

if TYPE_CHECKING:
    import tensorflow as tf

MADE: dict[str, Callable[[tf.Tensor, Space, Space], tf.Tensor]] = {  # by the modality of the condition
    audio.MEL: lambda x, space, x_space: audio.log_mel(x, x_space.rate, space.shape[-1]),
}


def computed(space: Space) -> bool:
    """Whether a condition of this space is computed from the example."""
    return space.modality in MADE


def made(x: tf.Tensor, space: Space, x_space: Space) -> tf.Tensor:
    """The condition of this space that belongs to x, ([batch,] *space.shape).

    Args:
      x: ([batch,] *x_space.shape), examples in native units.
      space: of the condition.
      x_space: of the examples.
    """
    return MADE[space.modality](x, space, x_space)


def synthetic(condition: Condition, x_space: Space, count: int) -> Any:
    """The condition of `count` synthetic examples: what is computed from them, and anything else as `in_turn`."""
    x = modality_of(x_space).synthetic(count, x_space)

    def part(value, space):
        return made(x, space, x_space).numpy() if computed(space) else value

    return condition.map(part, condition.in_turn(count))
