"""A model with a latent as its diagnostics see it: what is known of rows, their draws, and log p(x, z)."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from flowzoo.bijectors import Chain
from flowzoo.core import random
from flowzoo.models.flow import Flow
from flowzoo.objectives.divided import divided
from flowzoo.surjections import Stochastic

NEEDS = "`model` must end with its only stochastic layer, q(z | x) and p(x | z), as an autoencoder does"
DRAWS, FITTED, SCALES, PILOT, ANNEALED = range(5)  # what random numbers are for: each has a stream of its own


class Rows(NamedTuple):
    """Rows of data: tensors of (n, ...).

    Attributes:
        y: x as the stochastic layer takes it.
        log_det: of what stands before that layer.
        features: the condition as networks get it, or None.
        parameters: of the posterior.
        streams: random streams, from the seed and the content of each row.
    """

    y: tf.Tensor
    log_det: tf.Tensor
    features: tf.Tensor | None
    parameters: Any
    streams: tf.Tensor


class View:
    """The parts of a flow that ends with its only `Stochastic`.

    Raises:
        ValueError: it does not.
    """

    def __init__(self, flow: Flow):
        fix = "`flowzoo.diagnose` examines models that invert."
        self.front, self.layer = divided(flow.transform, Stochastic, NEEDS, fix)
        self.raw, self.base = flow.raw, flow.base
        self.posterior, self.latent_shape = self.layer.posterior, flow.latent_shape
        self.rows = tf.function(self._rows, reduce_retracing=True, autograph=False)
        self.weights = tf.function(self._weights, reduce_retracing=True, autograph=False)

    def given(self, rows: Rows) -> tf.Tensor:
        """What the posterior's network takes."""
        return self.layer.given(rows.y, rows.features)

    def log_joint(self, rows: Rows, z: tf.Tensor) -> tf.Tensor:
        """log p(x, z) of one z for each row: (n,), in nats."""
        log_p = self.layer.decoder.log_prob(
            tf.cast(rows.y, self.layer.compute_dtype), self.layer.given(z, rows.features)
        )
        return log_p + self.base.log_prob(z, rows.features) + rows.log_det

    def _rows(self, x, condition, seed):
        """`Rows`, and the posterior's mean."""
        features, context = self.raw.features(condition), self.raw.context(x, seed)
        y, log_det = Chain(self.front).encode(x, features, context) if self.front else (x, tf.zeros(tf.shape(x)[:1]))
        given = self.layer.given(y, features)
        log_det = tf.cast(log_det, self.layer.compute_dtype)
        found = Rows(y, log_det, features, self.posterior.parameters_of(given), self.raw.streams(x, seed))
        return found, self.posterior.mean(given)

    def _weights(self, rows, first, count, place):
        """Of draws number `first` and on: log p(x, z) - log q(z | x), (n, count), z, log q(z | x) and log p(z)."""
        many, seeds = repeated(rows, count), self.seeds(rows, place, first, count)
        z = self.posterior.drawn_by(many.parameters, seeds)
        log_q, log_prior = self.posterior.density_by(many.parameters, z), self.base.log_prob(z, many.features)
        log_w, log_q, log_prior = (
            tf.reshape(one, [-1, count]) for one in (self.log_joint(many, z) - log_q, log_q, log_prior)
        )
        return log_w, tf.reshape(z, [-1, count, *self.latent_shape]), log_q, log_prior

    @staticmethod
    def seeds(rows: Rows, place: int, first: int | tf.Tensor, count: int) -> tf.Tensor:
        """Streams of `count` draws of each row from number `first` on, row after row: (n * count, 2) int32."""
        streams = tf.repeat(random.fold_in(rows.streams, place), count, axis=0)
        return random.fold_in(streams, tf.tile(first + tf.range(count), [tf.shape(rows.streams)[0]]))


def repeated(rows: Any, count: int) -> Any:
    """Each row `count` times in succession; None stays None."""
    return tf.nest.map_structure(lambda one: None if one is None else tf.repeat(one, count, axis=0), rows)


def wide(per_row: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """(n,) with further axes of size 1, to be multiplied with (n, ...)."""
    return tf.reshape(per_row, [-1] + [1] * (like.shape.rank - 1))
