"""The aggregate posterior q(z), the mean of q(z | x) over rows, and the mutual information of x and z under it.

Reference: Hoffman & Johnson 2016, ELBO surgery: yet another way to carve up the variational evidence lower bound,
NIPS workshop on advances in approximate Bayesian inference.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from flowzoo.core.bars import bar
from flowzoo.measure.latents.view import View

ON_SPHERE = 1000  # numbers by which the density of a pair on the sphere is normalised
PAIRS = 2**22  # numbers of z and of parameters in the pairs of a draw and a row that are looked at together


def log_aggregate(view: View, z: np.ndarray, parameters: Any, *, progress: bool = False) -> np.ndarray:
    """log q(z) = log mean_j q(z | x_j) over all rows: z (m, *latent_shape) -> (m,) float64, in nats.

    Args:
        view: of the model.
        z: draws.
        parameters: of the posterior of every row, tensors of (n, ...).
        progress: show a bar.
    """
    density = tf.function(_densities, reduce_retracing=True, autograph=False)
    flat = tf.nest.flatten(parameters)
    rows, size = len(flat[0]), math.prod(view.latent_shape) + sum(math.prod(one.shape[1:]) for one in flat)
    size += ON_SPHERE if view.posterior.on_sphere else 0
    at_once = min(rows, max(1, PAIRS // (16 * size)))
    draws = max(1, PAIRS // (at_once * size))
    totals = []
    with bar(len(z), "aggregate", shown=progress) as done:
        for start in range(0, len(z), draws):
            some, total = tf.constant(z[start : start + draws]), -math.inf
            for first in range(0, rows, at_once):
                part = tf.nest.map_structure(lambda one, a=first: one[a : a + at_once], parameters)
                found = density(view.posterior, some, part).numpy().astype(np.float64)
                total = np.logaddexp(total, np.logaddexp.reduce(found, axis=1))
            totals.append(total)
            done.update(len(some))
    return np.concatenate(totals) - math.log(rows)


def _densities(posterior, z, parameters):
    """log q(z_i | x_j): (draws, rows)."""
    rows, draws = tf.shape(tf.nest.flatten(parameters)[0])[0], tf.shape(z)[0]

    def for_each_draw(one):
        return tf.tile(one, [draws] + [1] * (one.shape.rank - 1))

    tiled = tf.nest.map_structure(for_each_draw, parameters)
    return tf.reshape(posterior.density_by(tiled, tf.repeat(z, rows, axis=0)), [draws, rows])
