"""Where an objective takes hold of a transform: its last part, of the kind that the objective trains."""

from __future__ import annotations

from flowzoo.bijectors import Chain
from flowzoo.core.transform import Transform


def divided(transform: Transform, kind: type[Transform], who: str, fix: str) -> tuple[list[Transform], Transform]:
    """The transforms before the only one of this kind, which is the last, and that one.

    Args:
      transform: of the flow.
      kind: the class of the last one.
      who, fix: begin and end the message of the error.

    Raises:
      ValueError: the transform does not end with its only one of this kind.
    """
    parts = list(transform.transforms) if isinstance(transform, Chain) else [transform]
    count = sum(isinstance(layer, kind) for layer in transform._flatten_layers())
    if count != 1 or not isinstance(parts[-1], kind):
        raise ValueError(f"{who}, got {count} of them, and {type(parts[-1]).__name__} last. {fix}")
    return parts[:-1], parts[-1]
