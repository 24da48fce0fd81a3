"""What a flow computes, without checks: safe in any graph, under XLA and in an export."""

from __future__ import annotations

import functools
import math
from typing import Any

import tensorflow as tf

from flowzoo.bases.base import Base
from flowzoo.bijectors import Chain, Identity
from flowzoo.core import random
from flowzoo.core.checks import check_seed
from flowzoo.core.context import Context
from flowzoo.core.graphs import Graph, by_xla, filled_up
from flowzoo.core.space import Condition, Space
from flowzoo.core.transform import Transform
from flowzoo.models.accumulation import rows_of
from flowzoo.models.conditioning import joined
from flowzoo.objectives import likelihood, registry

IN_FLIGHT = 2**16  # numbers of x in the blocks that `score` computes at once: a larger block fills all processors alone
DECODING = -2  # the place of the transform in sampling; the base draws from the root


def _without_rows_too(function):
    """Lets a method take an empty batch, passed through as a row of zeros: scatter and Conv2D fail on no rows."""

    @functools.wraps(function)
    def wrapped(self, rows, *others):
        rows = tf.convert_to_tensor(rows)
        if rows.shape[0]:
            return function(self, rows, *others)
        count = tf.shape(rows)[0]
        missing = tf.cast(count == 0, tf.int32)

        def filled(value):
            if not tf.is_tensor(value) or not value.shape.rank:
                return value
            shape = value.shape[1:] if value.shape[1:].is_fully_defined() else tf.unstack(tf.shape(value)[1:])
            return tf.concat([value, tf.zeros([missing, *shape], value.dtype)], axis=0)

        results = function(self, filled(rows), *tf.nest.map_structure(filled, others))
        return tf.nest.map_structure(lambda value: value[:count], results)

    return tf.autograph.experimental.do_not_convert(wrapped)  # there is nothing to convert, and looking takes seconds


class Raw:
    """What a flow computes, for callers with checks of their own: exports, TFP views, measurements, programs.

    In all methods, `condition` holds tensors, and `seed` is a uint32 scalar, made by `as_seed`, for the noise that
    `encode` and `decode` draw, and for probes. Methods named `..._graph` and `..._xla` are compiled.

    Args:
      transform, base, x_space, condition: of the flow.
    """

    def __init__(self, transform: Transform, base: Base, x_space: Space, condition: Condition):
        self.transform, self.base, self.x_space, self.condition = transform, base, x_space, condition
        self.dtype = transform.compute_dtype

    @_without_rows_too
    def log_prob(self, x, condition, seed, samples: int = 1, memory: str = "store") -> tf.Tensor:
        """`Flow.log_prob`, with gradients by one of the modes of `bijectors.backprop`."""
        features, context = self.features(condition), self.context(x, seed, memory=memory)
        if samples == 1:
            return likelihood.log_prob(self.transform, self.base, x, features, context)

        def once(draw):  # with the same probes for all draws: different errors would raise the bound, not cancel
            return likelihood.log_prob(self.transform, self.base, x, features, context.apart().at(draw))

        draws = tf.map_fn(once, tf.range(samples, dtype=tf.int32), fn_output_signature=self.dtype)
        return tf.reduce_logsumexp(draws, axis=0) - math.log(samples)

    def score(self, x, condition, seed, samples: int, memory: str, *, block: int, xla: bool) -> tf.Tensor:
        """`log_prob` in blocks of `block` rows, the last one filled up, in one graph for any number of rows.

        A row gets the same bits wherever it stands: a product with 32 rows may round differently from one with 16.
        """
        return self._score_graph(x, condition, seed, samples, memory, block, xla)

    @_without_rows_too
    def objective(
        self, x, condition, seed, name: str = registry.LIKELIHOOD, memory: str = "store", training: bool = False
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What the objective of this name minimises, (batch,), and what the transforms noted."""
        context = self.context(x, seed, memory=memory, training=training, shares=training)
        minimised = registry.objective(name)
        found = minimised(self.transform, self.base, x, self.features(condition), context)
        return found, context.notes

    @_without_rows_too
    def encode(self, x, condition, seed) -> tuple[tf.Tensor, tf.Tensor]:
        """`Flow.encode`."""
        return self.transform.encode(x, self.features(condition), self.context(x, seed))

    @_without_rows_too
    def decode(self, z, condition, seed) -> tuple[tf.Tensor, tf.Tensor]:
        """`Flow.decode`."""
        drawn = "decode" in self.transform.draws
        context = Context(random.fold_in(random.hash_rows(z), seed), (DECODING,)) if drawn else None
        return self.transform.decode(z, self.features(condition), context)

    @_without_rows_too
    def sample(self, seeds, temperature, condition, shares: bool = False) -> tf.Tensor:
        """`Flow.sample` of (rows, 2) int32 seeds and (rows,) temperatures; `shares` as in `Context`."""
        features = self.features(condition)
        z = self.base.sample(seeds, temperature, features)
        return self.transform.decode(z, features, Context(seeds, (DECODING,), log_det=False, shares=shares))[0]

    def draw(self, halves, index, temperature, condition) -> tf.Tensor:
        """`sample` of the rows with these numbers, (rows,) integers, of the seed whose `random.words` are given."""
        return self.sample(random.seeds_of(halves, index), temperature, condition, True)

    @_without_rows_too
    def reconstruction_error(self, x, condition, seed) -> tf.Tensor:
        """`Flow.reconstruction_error`."""
        bijection, features = self.bijection, self.features(condition)
        y = self.dequantized(x, features, seed)
        again = bijection.decode(bijection.encode(y, features)[0], features)[0]
        return tf.reduce_max(tf.abs(tf.reshape(again - y, [tf.shape(y)[0], -1])), axis=1)

    def _score(self, x, condition, seed, samples, memory, block, xla):
        compute = self.log_prob_xla if xla else self.log_prob
        rows = tf.shape(x)[0]
        missing = -rows % block
        given = filled_up((x, condition), missing)

        def one(i):
            return compute(*rows_of(given, i, block), seed, samples, memory)

        count, at_once = (rows + missing) // block, IN_FLIGHT // (block * math.prod(self.x_space.shape))
        at_once = min(max(at_once, 1), 32)  # more only cost memory
        scores = tf.map_fn(one, tf.range(count), fn_output_signature=self.dtype, parallel_iterations=at_once)
        return tf.reshape(scores, [-1])[:rows]

    log_prob_graph = Graph(log_prob)
    log_prob_xla = by_xla(log_prob)
    objective_xla = by_xla(objective)
    encode_graph = Graph(encode)
    decode_graph = Graph(decode)
    sample_graph = Graph(sample)
    draw_graph = Graph(draw)
    reconstruction_error_graph = Graph(reconstruction_error)
    _score_graph = Graph(_score, any_rows=True)

    @property
    def parts(self) -> list[Transform]:
        """The transforms in order, with nested chains flattened."""
        return _flat(self.transform)

    @property
    def noisy(self) -> list[Transform]:
        """Those up to the last that draws noise in encode; `Bounds` and `Standardize` may stand before it."""
        parts = self.parts
        count = max((i + 1 for i, t in enumerate(parts) if "encode" in t.draws), default=0)
        if any(not t.draws and t.trainable_variables for t in parts[:count]):
            raise ValueError("Stochastic transforms must come before the exact ones for `bijection`, got them mixed.")
        return parts[:count]

    @property
    def inverts(self) -> bool:
        """Whether decode undoes encode, and there is more than noise, so that its error can be measured."""
        return self.transform.invertible and len(self.noisy) < len(self.parts)

    @property
    def recovers_latents(self) -> bool:
        """Whether encode gives back what decode took, as that of surjections which draw in decode only."""
        return self.transform.kind == "exact" and "encode" not in self.transform.draws

    @property
    def bijection(self) -> Transform:
        """`Flow.bijection`."""
        parts = self.parts
        lossy = next((part for part in parts if not part.invertible), None)
        if lossy is not None:
            raise ValueError(
                f"`bijection` needs parts that invert, got {type(lossy).__name__}, whose decode does not give back "
                "what encode took."
            )
        exact = parts[len(self.noisy) :]
        return exact[0] if len(exact) == 1 else Chain(exact) if exact else Identity(self.transform.latent_shape)

    def dequantized(self, x, features, seed) -> tf.Tensor:
        """x as `bijection` takes it; `features` is what `features()` makes of the condition."""
        noisy = self.noisy
        return Chain(noisy).encode(x, features, self.context(x, seed))[0] if noisy else x

    def features(self, condition: Any) -> tf.Tensor | None:
        """A condition as conditioners get it, labels one-hot; None if there is none."""
        return joined(condition, self.condition, self.dtype)

    def as_seed(self, seed: int | tf.Tensor) -> tf.Tensor:
        """A seed as a uint32 scalar, or `ValueError`."""
        if tf.is_tensor(seed):
            if not tf.executing_eagerly():
                return tf.cast(seed, tf.uint32)
            seed = seed.numpy()
        return tf.constant(check_seed(seed, "seed"), tf.uint32)

    def context(self, x, seed, **how) -> Context:
        """A context, with a stream for each row if any transform may draw noise or probes."""
        layers = (layer for layer in self.transform._flatten_layers() if isinstance(layer, Transform))
        reads = any(layer.takes_context and not layer.composite for layer in layers)
        return Context(self.streams(x, seed) if reads else None, **how)

    def streams(self, x, seed) -> tf.Tensor:
        """(rows, 2) integers, made from the content of each row and the seed."""
        if not self.x_space.values:
            x = tf.cast(x, self.x_space.dtype)  # as in `log_prob`, so that the noise is the same
        return random.fold_in(random.hash_rows(x), seed)


def _flat(transform):
    if isinstance(transform, Chain):
        return [part for inner in transform.transforms for part in _flat(inner)]
    return [transform]


def x_space(transform: Transform) -> Space:
    """What a transform takes: integers if one of its parts does."""
    integers = next((part for part in _flat(transform) if part.takes_integers), None)
    return integers.x_space if integers else Space(transform.event_shape, transform.event_dtype)
