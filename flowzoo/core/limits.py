"""How many weights a flow may have: one with more is refused before they fill the memory."""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterator, Sequence

import keras

WEIGHTS = 2**29  # 2 GiB in float32, and four times as much in training; the largest preset has a tenth

_made: contextvars.ContextVar[list[int] | None] = contextvars.ContextVar("weights made", default=None)


@contextlib.contextmanager
def counting() -> Iterator[None]:
    """While it is open, all weights that are created count as those of one flow."""
    token = _made.set([0])
    try:
        yield
    finally:
        _made.reset(token)


def require(shape: Sequence[int]) -> int:
    """How many weights there will be with one more of this shape, which is yet to be created.

    Raises:
        ValueError: more than `WEIGHTS`.
    """
    made = _made.get() or [0]
    total = made[0] + math.prod(shape)
    if total > WEIGHTS:
        raise ValueError(
            f"A flow must have at most {WEIGHTS:,} weights, got {total:,} with the next, of shape {tuple(shape)}, and "
            "there may be more to come. Make `hidden`, `depth` or the like, or the event, smaller."
        )
    return total


def count(shape: Sequence[int]) -> None:
    """Counts a weight that is about to be made; raises as `require` does."""
    total = require(shape)
    if made := _made.get():
        made[0] = total


class Counted(keras.layers.Layer):
    """A layer whose own weights count."""

    def add_weight(self, *args, shape: Sequence[int] | None = None, **kwargs) -> keras.Variable:
        """As Keras' own; raises as `require` does."""
        count(args[0] if args else shape or ())
        return super().add_weight(*args, shape=shape, **kwargs)
