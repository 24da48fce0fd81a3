"""What a flow computes, without checks: safe in any graph, under XLA and in an export."""

from __future__ import annotations

import functools
import math

import tensorflow as tf

from flowzoo.bijectors import Chain, Identity
from flowzoo.core import random
from flowzoo.core.checks import check_seed
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform
from flowzoo.models.checked_model import CheckedModel
from flowzoo.models.conditioning import joined

DECODING = -2  # the place of the transform in sampling; the base draws from the root


def _without_rows_too(function):
    """A method of a batch that may be empty, and goes through as a row of zeros: scatter and Conv2D fail on no rows."""

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
            return tf.concat([value, tf.zeros([missing, *value.shape[1:]], value.dtype)], axis=0)

        results = function(self, filled(rows), *tf.nest.map_structure(filled, others))
        return tf.nest.map_structure(lambda value: value[:count], results)

    return wrapped


class Computations(CheckedModel):
    """Needs `transform`, `base`, `x_space` and `condition`.

    A `word` is a seed as a uint32 scalar; `samples` counts noise draws.
    """

    @property
    def bijection(self) -> Transform:
        """The exact part of the transform: what follows dequantization, or other noise.

        Raises:
          ValueError: decode of some part does not give back what encode took, or a part with weights precedes noise.
        """
        lossy = next((part for part in self._parts if not part.invertible), None)
        if lossy is not None:
            raise ValueError(
                f"`bijection` needs parts that invert, got {type(lossy).__name__}, whose decode does not give back "
                "what encode took."
            )
        exact = self._parts[self._noisy :]
        return exact[0] if len(exact) == 1 else Chain(exact) if exact else Identity(self.latent_shape)

    @property
    def _parts(self):
        return _flat(self.transform)

    @property
    def _noisy(self):
        """How many parts there are up to the last that draws noise; `Bounds` and `Standardize` may stand before it."""
        parts = self._parts
        noisy = max((i + 1 for i, t in enumerate(parts) if t.draws), default=0)
        if any(not t.draws and t.trainable_variables for t in parts[:noisy]):
            raise ValueError("Stochastic transforms must come before the exact ones for `bijection`, got them mixed.")
        return noisy

    @_without_rows_too
    def _log_prob(self, x, condition, word, samples, mode="store"):
        condition, context = self._ready(condition), self._context(x, word, memory=mode)
        if samples == 1 or not self.transform.draws:
            return self._scored(x, condition, context)

        def once(draw):  # with the same probes for all draws: their errors would raise the bound, not cancel
            return self._scored(x, condition, context.apart().at(draw))

        draws = tf.map_fn(once, tf.range(samples, dtype=tf.int32), fn_output_signature=self.compute_dtype)
        return tf.reduce_logsumexp(draws, axis=0) - math.log(samples)

    @_without_rows_too
    def _pass(self, x, condition, word, mode, training, names):
        """log p(x), and of the notes of the transforms those of these names."""
        context = self._context(x, word, memory=mode, training=training)
        log_prob = self._scored(x, self._ready(condition), context)
        return log_prob, {name: value for name, value in context.notes.items() if name in names}

    @_without_rows_too
    def _encode(self, x, condition, word):
        return self.transform.encode(x, self._ready(condition), self._context(x, word))

    @_without_rows_too
    def _decode(self, z, condition):
        return self.transform.decode(z, self._ready(condition))

    @_without_rows_too
    def _sample(self, seeds, temperature, condition):
        condition = self._ready(condition)
        z = self.base.sample(seeds, temperature, condition)
        return self.transform.decode(z, condition, Context(seeds, (DECODING,), log_det=False))[0]

    @_without_rows_too
    def _reconstruction(self, x, condition, word):
        condition, bijection = self._ready(condition), self.bijection
        x = self._dequantized(x, condition, word)
        again = bijection.decode(bijection.encode(x, condition)[0], condition)[0]
        return tf.reduce_max(tf.abs(tf.reshape(again - x, [tf.shape(x)[0], -1])), axis=1)

    def _dequantized(self, x, condition, word):
        """x as `bijection` takes it."""
        noisy = self._parts[: self._noisy]
        return Chain(noisy).encode(x, condition, self._context(x, word))[0] if noisy else x

    _log_prob_graph = tf.function(_log_prob, reduce_retracing=True, autograph=False)
    _log_prob_xla = tf.function(_log_prob, jit_compile=True, autograph=False)
    _pass_xla = tf.function(_pass, jit_compile=True, autograph=False)
    _encode_graph = tf.function(_encode, reduce_retracing=True, autograph=False)
    _decode_graph = tf.function(_decode, reduce_retracing=True, autograph=False)
    _sample_graph = tf.function(_sample, reduce_retracing=True, autograph=False)
    _reconstruction_graph = tf.function(_reconstruction, reduce_retracing=True, autograph=False)

    def _scored(self, x, condition, context):
        z, log_det = self.transform.encode(x, condition, context)
        return self.base.log_prob(z, condition) + log_det

    def _ready(self, condition):
        return joined(condition, self.condition, self.compute_dtype)

    def _word(self, seed):
        if tf.is_tensor(seed):
            if not tf.executing_eagerly():
                return tf.cast(seed, tf.uint32)
            seed = seed.numpy()
        return tf.constant(check_seed(seed, "seed"), tf.uint32)

    def _context(self, x, word, **how):
        """With a stream for each row, if any transform may draw noise or probes."""
        layers = (layer for layer in self.transform._flatten_layers() if isinstance(layer, Transform))
        reads = any(layer.takes_context and not layer.composite for layer in layers)
        return Context(self._row_streams(x, word) if reads else None, **how)

    def _row_streams(self, x, word):
        if not self.x_space.values:
            x = tf.cast(x, self.x_space.dtype)  # in which `log_prob` takes it, so one noise
        return random.fold_in(random.hash_rows(x), word)


def _flat(transform):
    if isinstance(transform, Chain):
        return [part for inner in transform.transforms for part in _flat(inner)]
    return [transform]
