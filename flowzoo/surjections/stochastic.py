"""Stochastic maps: both directions sample, as in a layer of a variational autoencoder."""

from __future__ import annotations

import math

import tensorflow as tf

from flowzoo.bases.conditional import GivenNetwork
from flowzoo.conditioners.condition import join
from flowzoo.core.space import Space
from flowzoo.core.transform import Transform


class Stochastic(Transform):
    """z ~ q(z | x) in encode, x ~ p(x | z) in decode, so log p(x) >= E[log p(z) + log p(x | z) - log q(z | x)].

    The gap is KL(q(z | x) || p(z | x)): with the true posterior the bound is exact for every draw.

    Args:
      posterior: q(z | x), such as a `ConditionalNormal`, given x as a vector, with the condition appended.
      decoder: p(x | z), such as a `ConditionalBernoulli`, given z as a vector, with the condition appended. If it is
        over integers, x holds integers.

    Raises:
      TypeError: one of them has no network, or they are of different dtypes.
      ValueError: they take vectors of other sizes.

    References: Kingma & Welling 2014, Auto-encoding variational Bayes, arXiv:1312.6114; as a transform Nielsen et al.
    2020, SurVAE Flows, arXiv:2007.02731.
    """

    kind = "lower_bound"
    draws = frozenset({"encode", "decode"})
    invertible = False
    takes_context = True

    def __init__(self, posterior: GivenNetwork, decoder: GivenNetwork, *, name: str | None = None):
        for what, part in (("posterior", posterior), ("decoder", decoder)):
            if not isinstance(part, GivenNetwork):
                raise TypeError(f"`{what}` must be a base with a network, got {type(part).__name__}.")
        if posterior.compute_dtype != decoder.compute_dtype:
            raise TypeError(
                f"`posterior` and `decoder` must be of one dtype, got {posterior.compute_dtype} and "
                f"{decoder.compute_dtype}. Build both with the same `dtype`."
            )
        super().__init__(decoder.event_shape, posterior.event_shape, dtype=decoder.compute_dtype, name=name)
        self.posterior, self.decoder, self.on_sphere = posterior, decoder, posterior.on_sphere
        self.condition_features = decoder.condition_features - math.prod(self.latent_shape)
        expected = math.prod(self.event_shape) + self.condition_features
        if self.condition_features < 0 or posterior.condition_features != expected:
            raise ValueError(
                f"`decoder` must be given z of {math.prod(self.latent_shape)} entries and the condition, got "
                f"{decoder.condition_features}; and `posterior` x of {math.prod(self.event_shape)} and the condition, "
                f"got {posterior.condition_features}."
            )

    @property
    def bits(self) -> int:
        """Bits of x, if it holds integers; else 0."""
        return self.decoder.bits

    @property
    def takes_integers(self) -> bool:
        return self.bits > 0

    @property
    def x_space(self) -> Space:
        """The integers, if x holds any."""
        return Space.integers(self.event_shape, 2**self.bits)

    def given(self, values: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        """The input of the posterior for x, or of the decoder for z: a vector, with the condition appended."""
        rows = tf.reshape(tf.cast(values, self.compute_dtype), [tf.shape(values)[0], values.shape[1:].num_elements()])
        return join(rows, condition, self.condition_features)

    def _encode(self, x, condition, context):
        one = tf.ones(tf.shape(x)[:1], self.compute_dtype)
        z, log_q = self.posterior.sample_with_log_prob(context.streams, one, self.given(x, condition))
        return z, self.decoder.log_prob(tf.cast(x, self.compute_dtype), self.given(z, condition)) - log_q

    def _decode(self, z, condition, context):
        one, given = tf.ones(tf.shape(z)[:1], self.compute_dtype), self.given(z, condition)
        if not context.log_det:  # it takes a pass through the posterior
            x, log_det = self.decoder.sample(context.streams, one, given), tf.zeros_like(one)
        else:
            x, log_p = self.decoder.sample_with_log_prob(context.streams, one, given)
            log_det = self.posterior.log_prob(z, self.given(x, condition)) - log_p
        return (tf.cast(x, tf.uint8 if self.bits <= 8 else tf.int32) if self.bits else x), log_det
