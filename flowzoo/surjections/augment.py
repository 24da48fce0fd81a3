"""Augmentation: extra dimensions, filled with noise, in which paths of a continuous flow can pass each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from flowzoo.core import random
from flowzoo.core.checks import check_count
from flowzoo.core.transform import sum_event
from flowzoo.surjections.surjection import GenerativeSurjection, vector


class Augment(GenerativeSurjection):
    """z = (x, u) with u ~ N(0, 1), so log p(x) >= E[log p(z) - log q(u)].

    Args:
      event_shape: (features,).
      extra: entries of u.

    References: Dupont et al. 2019, Augmented neural ODEs, arXiv:1904.01681; Huang et al. 2020, Augmented normalizing
    flows, arXiv:2002.07101 (as a density).
    """

    def __init__(self, event_shape: Sequence[int], extra: int, *, dtype: str = "float32", name: str | None = None):
        features, self.extra = vector(event_shape, "Augment"), check_count(extra, "extra")
        super().__init__(event_shape, (features + self.extra,), dtype=dtype, name=name)

    def _encode(self, x, condition, context):
        u = tf.cast(random.normal(context.streams, (self.extra,)), x.dtype)
        return tf.concat([x, u], axis=1), _entropy(u)

    def _decode(self, z, condition, context):
        x, u = tf.split(z, [self.event_shape[0], self.extra], axis=1)
        return x, -_entropy(u)


def _entropy(u):
    """-log q(u)."""
    return sum_event(0.5 * tf.square(u) + 0.5 * math.log(2.0 * math.pi))
