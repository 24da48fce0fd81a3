"""The contract of all maps between data and latent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from flowzoo.core.checks import check_shape
from flowzoo.core.context import Context, check_context
from flowzoo.core.limits import Counted

KINDS = ("exact", "estimate", "lower_bound")  # ordered: a composition is as weak as its weakest part


class Transform(Counted):
    """A map between data x and latent z that reports its contribution to log p(x).

    Subclasses implement `_encode(x, condition)` and `_decode(z, condition)`; both return the value and `log_det`. One
    with `takes_context = True`, as all that draw noise, gets the `Context` as a third argument of both.

    A class states the facts of its own maps; those of an instance are weakened to the weakest of its `parts`.

    Attributes:
      kind: what its log_det is: "exact", an unbiased "estimate", or a "lower_bound".
      draws: in which of the directions "encode" and "decode" it draws noise.
      invertible: whether decode gives back what encode took.
      on_sphere: whether z lies on the unit sphere, so that its density is with respect to the sphere's surface.

    Args:
      event_shape: shape of one x, without the batch dimension.
      latent_shape: shape of one z; `event_shape` if not given.
      parts: the transforms it is made of, if any.
      dtype: float32 or float64; log-determinants are never narrower.
      name: Keras name.

    Reference: Nielsen et al. 2020, SurVAE Flows, arXiv:2007.02731.
    """

    kind = "exact"
    draws: frozenset[str] = frozenset()
    invertible = True
    takes_context = False  # `_encode` and `_decode` have a third argument
    on_sphere = False
    least_axes = 0  # of an event
    composite = False  # encodes by other transforms
    manages_memory = False  # of backpropagation, by itself or through its parts; see `bijectors.backprop`
    reversible = False  # decode recovers x up to rounding, at about the cost of encode
    samples_by_xla = False  # when samples are drawn, decode of vectors is compiled: faster, see docs/benchmarks.md
    bounded = False  # it is defined on a part of space only: elsewhere encode gives log_det -inf and a meaningless z

    def __init__(
        self,
        event_shape: Sequence[int],
        latent_shape: Sequence[int] | None = None,
        *,
        parts: Iterable[Transform] = (),
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        if self.compute_dtype not in ("float32", "float64"):
            raise ValueError(
                f"`dtype` of a transform must be float32 or float64, got {dtype!r}. "
                "Only conditioners may run in a narrower type: pass it to them."
            )
        self.event_shape = check_shape(event_shape, "event_shape", self.least_axes)
        self.latent_shape = self.event_shape if latent_shape is None else check_shape(latent_shape, "latent_shape")
        self._fold(list(parts))
        if self.draws and not self.takes_context:
            raise TypeError(
                f"{type(self).__name__} draws noise, by itself or by its parts, so its class must state "
                "`takes_context = True`, got False. Its `_encode` and `_decode` then get the context as third argument."
            )
        self.built = True

    @tf.autograph.experimental.do_not_convert
    def encode(self, x, condition=None, context: Context | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps data to latent.

        Args:
          x: (batch, *event_shape).
          condition: what the conditioners take, or None.
          context: what the pass is for; `Context(row_seeds(seed, batch))` for transforms that draw noise.

        Returns:
          z: (batch, *latent_shape), and log_det: (batch,) in nats, log |dz/dx| for a bijection.

        Raises:
          TypeError, ValueError: x is of the wrong type or shape, or the context lacks the random streams.
        """
        x, context = self._checked(x, self.event_shape, "x"), self._checked_context(context, "encode")
        return self._encode(x, condition, context) if self.takes_context else self._encode(x, condition)

    @tf.autograph.experimental.do_not_convert
    def decode(self, z, condition=None, context: Context | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps latent to data; arguments and results mirror `encode`."""
        z = self._checked(z, self.latent_shape, "z", integers=False, dtype=self.compute_dtype)
        context = self._checked_context(context, "decode")
        return self._decode(z, condition, context) if self.takes_context else self._decode(z, condition)

    def adapt(self, x, condition=None, context: Context | None = None) -> tf.Tensor:
        """Data-dependent initialisation from one batch x; returns the z that comes out afterwards."""
        context = check_context(context)
        return self.encode(x, condition, context if self.draws else None)[0]  # so that rows share the probes of traces

    def call(self, x, condition=None, context: Context | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        return self.encode(x, condition, context)

    def _encode(self, x, condition):
        raise NotImplementedError(f"{type(self).__name__} must implement `_encode`.")

    def _decode(self, z, condition):
        raise NotImplementedError(f"{type(self).__name__} must implement `_decode`.")

    @property
    def takes_integers(self) -> bool:
        """Whether x is integer data, as for dequantization."""
        return False

    @property
    def event_dtype(self) -> str:
        """dtype in which x is accepted and returned, unless it is integer data; z and log_det have `compute_dtype`."""
        return self.compute_dtype

    @property
    def bijective(self) -> bool:
        """Whether it is an exact bijection: it states its exact log_det, draws nothing, and decode inverts encode."""
        return self.kind == "exact" and not self.draws and self.invertible

    def _fold(self, parts):
        """Weakens the facts of this instance to those of its parts."""
        if parts:
            self.kind = weakest_kind([self.kind, *(part.kind for part in parts)])
            self.draws = self.draws.union(*(part.draws for part in parts))
            self.invertible = self.invertible and all(part.invertible for part in parts)
            self.reversible = self.reversible and all(part.reversible for part in parts)
            self.bounded = self.bounded or any(part.bounded for part in parts)

    def _weight(self, value, name, trainable=True):
        """A weight that starts at the array `value`."""
        return self.add_weight(
            shape=value.shape, initializer=lambda shape, dtype: tf.cast(value, dtype), name=name, trainable=trainable
        )

    def _checked(self, value, shape, what, integers=None, dtype=None):
        value = tf.convert_to_tensor(value)
        integers = self.takes_integers if integers is None else integers
        if value.dtype.is_integer != integers or not (value.dtype.is_integer or value.dtype.is_floating):
            expected = "integers (uint8 or int32)" if integers else "floating-point numbers"
            raise TypeError(
                f"{type(self).__name__}: `{what}` must be {expected}, got dtype {value.dtype.name}. Cast it first."
            )
        if not value.shape[1:].is_compatible_with(shape) or value.shape.rank == 0:
            raise ValueError(
                f"{type(self).__name__}: `{what}` must have shape (batch, {', '.join(map(str, shape))}), "
                f"got {tuple(value.shape)}. The first dimension is the batch."
            )
        return value if integers else tf.cast(value, dtype or self.event_dtype)

    def _checked_context(self, context, direction):
        context = check_context(context)
        if context.root is None and direction in self.draws:
            raise ValueError(
                f"{type(self).__name__} draws noise in {direction}: `context` must have a `root` of (batch, 2) int32, "
                "got None. Pass `flowzoo.Context(flowzoo.random.row_seeds(seed, batch))`."
            )
        return context


class Bijector(Transform):
    """A transform that is exact in both directions: decode(encode(x)) = x and the log_dets cancel."""

    reversible = True


class AutoregressiveConditioner(Protocol):
    """What an autoregressive transform needs of its network besides a full pass: stepping feature by feature.

    `order` holds the features from degree 1 to D: the parameters of each depend on those before it.
    """

    input_event_shape: tuple[int, ...]
    output_event_shape: tuple[int, ...]
    order: np.ndarray

    def __call__(self, x: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """All parameters in one pass: (batch, D) -> (batch, outputs * D)."""

    def start(self, batch: tf.Tensor, condition: tf.Tensor | None = None) -> tuple[Any, list[tf.Tensor]]:
        """Constants of all steps, and the state before the first."""

    def step(self, i: tf.Tensor, value: tf.Tensor, constants: Any, state: list[tf.Tensor]) -> tuple[Any, list]:
        """The parameters (outputs * batch,) of the feature of degree i + 1, given the one of degree i."""


def sum_event(values: tf.Tensor) -> tf.Tensor:
    """Sums all but the first dimension: (batch, ...) -> (batch,)."""
    return tf.reduce_sum(values, axis=list(range(1, values.shape.rank)))


def add_log_dets(log_dets: Sequence[tf.Tensor]) -> tf.Tensor:
    """The sum of the log_dets of a composition, each (batch,), in their order: -> (batch,), of the widest dtype.

    In one operation: along a chain of additions TensorFlow's constant folding moves a constant, such as that of
    dequantization, one link per pass over the whole graph, which took most of the first step of a deep flow.
    """
    widest = max((log_det.dtype for log_det in log_dets), key=lambda dtype: dtype.size)
    return log_dets[0] if len(log_dets) == 1 else tf.add_n([tf.cast(log_det, widest) for log_det in log_dets])


def encode_in_turn(
    parts: Iterable[tuple[int, Any]],
    x: tf.Tensor,
    condition: tf.Tensor | None,
    context_at: Callable[[int], Context | None],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Encodes by one part after the other; returns z and the sum of their log_dets.

    Args:
      parts: with their places; each has `encode`.
      x: (batch, ...).
      condition: as in `Transform.encode`.
      context_at: the context of a place.
    """
    log_dets = []
    for place, part in parts:
        x, log_det = part.encode(x, condition, context_at(place))
        log_dets.append(log_det)
    return x, add_log_dets(log_dets)


def decode_in_turn(
    parts: Sequence[tuple[int, Any]],
    z: tf.Tensor,
    condition: tf.Tensor | None,
    context_at: Callable[[int], Context | None],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Undoes `encode_in_turn`: decodes by the last part first; returns x and the sum of the log_dets."""
    log_dets = []
    for place, part in reversed(parts):
        z, log_det = part.decode(z, condition, context_at(place))
        log_dets.append(log_det)
    return z, add_log_dets(log_dets)


def constant_log_det(value, like: tf.Tensor) -> tf.Tensor:
    """Repeats a scalar log_det for each row of `like`: -> (batch,)."""
    value = tf.cast(value, like.dtype) if tf.is_tensor(value) else tf.constant(value, like.dtype)
    return tf.fill(tf.shape(like)[:1], value)


def check_parts(transform: Transform) -> None:
    """TypeError if a transform claims a stronger kind than another that it holds but did not name as a part."""
    for part in transform._flatten_layers():
        if isinstance(part, Transform) and weakest_kind([transform.kind, part.kind]) != transform.kind:
            raise TypeError(
                f"{type(transform).__name__} says kind {transform.kind!r}, but holds a {type(part).__name__} of kind "
                f"{part.kind!r}. The transform that holds it must pass it in `parts` to `Transform.__init__`."
            )


def weakest_kind(kinds: Iterable[str]) -> str:
    """The kind of a composition, given those of its parts."""
    return max(kinds, key=KINDS.index, default="exact")
