"""What a pass through transforms is for, and what they note on the way."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import tensorflow as tf

from flowzoo.core import random

PENALTY = "penalty"  # the note that keeps its gradient


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """Handed from transform to transform beside `x` and `condition`.

    It is made inside a traced function and never crosses its border: as an argument of a `tf.function` it would cause a
    retrace at each call. It holds Python values, integer streams and masks, but nothing that needs a gradient, which a
    custom gradient would silently lose; that is what `condition` is for.

    Attributes:
      root: (batch, 2) int32, one random stream per row, as by `flowzoo.random.row_seeds`; None if nothing is drawn.
      path: the places, Python ints or scalar tensors, that lead from the whole to the transform being called.
      training: whether gradients of the result train the weights: estimates may be rough, and penalties count.
      log_det: whether it is needed; if not, transforms for which it is costly may return zeros.
      memory: how a chain backpropagates gradients, one of `flowzoo.bijectors.backprop.MODES`.
      shares: whether steps of one kind may share a traced function, which is then a part of the graph.
      mask: (batch, steps) bool, True for real values, False for padding; None if nothing is padded.

    Raises:
      ValueError: `root` is of another shape.

    >>> from flowzoo.core.random import row_seeds
    >>> context = Context(row_seeds(0, 4), training=True)
    >>> context.at(2).streams.shape
    TensorShape([4, 2])
    """

    root: tf.Tensor | None = None
    path: tuple[int | tf.Tensor, ...] = ()
    training: bool = False
    log_det: bool = True
    memory: str = "store"
    shares: bool = False
    mask: tf.Tensor | None = None
    _noted: dict[str, list[tf.Tensor]] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        shape = tf.TensorShape(getattr(self.root, "shape", ()))
        if self.root is not None and not shape.is_compatible_with([None, 2]):
            raise ValueError(
                f"`root` must be (batch, 2) int32, one random stream per row, got {type(self.root).__name__} of shape "
                f"{tuple(shape)}. Pass `flowzoo.random.row_seeds(seed, batch)`."
            )

    @property
    def streams(self) -> tf.Tensor:
        """The root with the path folded in, (batch, 2) int32: each place has random numbers of its own.

        Raises:
          ValueError: there is no root.
        """
        if self.root is None:
            raise ValueError(
                "Random numbers need a `root` of (batch, 2) int32, one stream per row, got None. "
                "Pass `flowzoo.Context(flowzoo.random.row_seeds(seed, batch))`."
            )
        return functools.reduce(random.fold_in, self.path, self.root)

    @property
    def notes(self) -> dict[str, tf.Tensor]:
        """The sums of what the transforms have noted so far, by name, (batch,) each."""
        return {name: values[0] if len(values) == 1 else tf.add_n(values) for name, values in self._noted.items()}

    def at(self, place: int | tf.Tensor) -> Context:
        """The context of the part at a place of a composition; notes go to this one."""
        return self._changed(path=(*self.path, place))

    def beside(self, places: int) -> Context:
        """The context of the part `places` further along; notes go to this one."""
        return self._changed(path=(*self.path[:-1], self.path[-1] + places))

    def apart(self) -> Context:
        """A context for the body of a loop, a branch or a custom gradient: the body must return its notes for `join`.

        Tensors noted in such a body exist nowhere else, and penalties would lose their gradient.
        """
        return dataclasses.replace(self)

    def note(self, name: str, per_row: tf.Tensor) -> None:
        """Adds (batch,) numbers to the notes under a name. No gradient flows through them.

        Raises:
          ValueError: the name is that of the penalties.
        """
        if name == PENALTY:
            raise ValueError(f"`name` must not be {PENALTY!r}, whose gradient trains the weights. Call `penalize`.")
        self.join({name: tf.stop_gradient(per_row)})

    def penalize(self, per_row: tf.Tensor) -> None:
        """Adds (batch,) nats to what `fit` subtracts from log p(x), as the note "penalty"."""
        self.join({PENALTY: per_row})

    def join(self, notes: Mapping[str, tf.Tensor]) -> None:
        """Adds the notes of a body that was called with `apart()`, as it returned them."""
        for name, value in notes.items():
            self._noted.setdefault(name, []).append(value)

    def _changed(self, **changes):
        other = dataclasses.replace(self, **changes)
        object.__setattr__(other, "_noted", self._noted)
        return other


def check_context(context: Context | None) -> Context:
    """The context, or a new one for None; TypeError for anything else."""
    if context is None:
        return Context()
    if not isinstance(context, Context):
        raise TypeError(
            f"`context` must be a Context, got {type(context).__name__}. "
            "For random numbers from row seeds pass `flowzoo.Context(seeds)`."
        )
    return context
