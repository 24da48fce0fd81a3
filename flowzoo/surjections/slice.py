"""Slicing: only a part of the data remains, the rest is drawn."""

from __future__ import annotations

import tensorflow as tf

from flowzoo.bases.base import normal_log_density
from flowzoo.bijectors.splits import Split
from flowzoo.core import random
from flowzoo.core.transform import sum_event
from flowzoo.surjections.surjection import InferenceSurjection


class Slice(InferenceSurjection):
    """z is the kept part of x; the free part u is drawn from N(0, 1) in decode, so log_det is log N(u; 0, 1).

    The temperature of samples is that of z; u is always drawn at temperature 1.

    After two couplings it is a funnel, z = f(x1; x2) with log p(x) = log p(z) + log |det df/dx1| + log p(x2 | z): one
    that keeps x2 and changes x1 is f, and one that keeps the result z and turns x2 into u is p(x2 | z):

        Chain([Coupling(shape, other_half, ...), Coupling(shape, split, ...), Slice(split)])

    Args:
      split: into the kept and the free part; see `bijectors.Split`.

    References: Klein et al. 2021, Funnels: Exact maximum likelihood with dimensionality reduction, arXiv:2112.08069;
    slicing: Nielsen et al. 2020, SurVAE Flows, arXiv:2007.02731.
    """

    def __init__(self, split: Split, *, dtype: str = "float32", name: str | None = None):
        super().__init__(split.event_shape, split.kept_shape, dtype=dtype, name=name)
        self.split = split

    def _encode(self, x, condition, context):
        z, u = self.split.split(x)
        return z, _log_normal(u)

    def _decode(self, z, condition, context):
        u = tf.cast(random.normal(context.streams, self.split.free_shape), z.dtype)
        return self.split.merge(z, u), -_log_normal(u)


def _log_normal(u):
    return sum_event(normal_log_density(u, tf.zeros([], u.dtype), tf.zeros([], u.dtype)))
