"""log p(x) by annealed importance sampling: chains from q(z | x), or from the prior, to the true posterior.

The chains are flowzoo's own: `tfp.mcmc.sample_annealed_importance_chain` takes one seed for all rows, so what is found
for a row would depend on the rows beside it.

References: Neal 2001, Annealed importance sampling, Statistics and Computing 11; Wu et al. 2017, On the quantitative
analysis of decoder-based generative models, arXiv:1611.04273; for the schedule Grosse et al. 2015, arXiv:1511.02543.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from flowzoo.core import random
from flowzoo.measure.latents.view import ANNEALED, PILOT, SCALES, Rows, View, repeated, wide

LEAPS = 3  # leapfrog steps of a transition
SHORTEST = 0.4  # of a step, whose length is drawn: chains of equal lengths would come back to where they were
WANTED, PACE = 0.75, 0.2  # share of proposals to accept, and how fast the pilot changes the step's size towards it
SCALED = 64  # draws from which the scales of the units are known
STARTS = ("posterior", "prior")


def log_weights(view: View, rows: Rows, chains: int, steps: int, start: str) -> tf.Tensor:
    """Log-weights of independent chains: (n, chains) float64, in nats. The mean of the weights is an unbiased p(x).

    Step t moves z by Hamiltonian Monte Carlo that leaves q(z | x)^(1 - b) p(x, z)^b unchanged, where b = b_t rises from
    0 to 1. Its size is that of a pilot run at the same step, which adapted it until about three quarters of the
    proposals were accepted: adapted in the run itself, it would make the estimate biased.

    Args:
        view, rows: the model and the rows.
        chains: independent ones for each row.
        steps: temperatures after the first.
        start: "posterior" or "prior": the density at b = 0.
    """
    run = tf.function(functools.partial(_run, view, chains=chains, steps=steps, start=start), autograph=False)
    unknown = tf.zeros([steps, tf.shape(rows.streams)[0]], view.layer.compute_dtype)
    sizes = run(rows, tf.constant(PILOT), unknown)[1]
    return run(rows, tf.constant(ANNEALED), sizes)[0]


def schedule(steps: int) -> np.ndarray:
    """Inverse temperatures 0 = b_0 < ... < b_steps = 1, close together at both ends: (steps + 1,)."""
    sigmoid = 1.0 / (1.0 + np.exp(-4.0 * np.linspace(-1.0, 1.0, steps + 1)))
    return (sigmoid - sigmoid[0]) / (sigmoid[-1] - sigmoid[0])


def _run(view, rows, place, sizes, *, chains, steps, start):
    """The log-weights, and the sizes of the steps, (steps, n): those given, or in the pilot run adapted on the way."""
    many, seeds, dtype = repeated(rows, chains), view.seeds(rows, place, 0, chains), view.layer.compute_dtype
    begin = _Start(view, many, start)
    z, scale = begin.drawn(seeds), repeated(_scale(view, rows, start), chains)
    betas, n = tf.constant(schedule(steps), dtype), tf.shape(rows.streams)[0]
    usual = tf.fill([n], tf.cast(float(max(1, np.prod(view.latent_shape))) ** -0.25, dtype))
    noted = tf.TensorArray(dtype, steps, element_shape=[None])

    def energies(z):
        """Both log-densities, and their gradients."""
        with tf.GradientTape() as one, tf.GradientTape() as other:
            one.watch(z), other.watch(z)
            low, high = begin.log_prob(z), view.log_joint(many, z)
        zero = {"unconnected_gradients": tf.UnconnectedGradients.ZERO}
        return low, high, one.gradient(low, z, **zero), other.gradient(high, z, **zero)

    def step(t, z, known, total, size, noted):
        size = tf.where(place == PILOT, size, sizes[t])
        total += tf.cast(betas[t + 1] - betas[t], tf.float64) * tf.cast(known[1] - known[0], tf.float64)
        of_normal, of_uniform, of_pace = (random.fold_in(seeds, 3 * t + place) for place in (2, 3, 4))
        shorter = 1.0 - (1.0 - SHORTEST) * tf.cast(random.scalars(of_pace), dtype)
        pace = wide(tf.repeat(size, chains) * shorter, z)
        momentum = tf.cast(random.normal(of_normal, view.latent_shape), dtype)
        proposed, after, change = _leaped(energies, z, known, momentum, scale, pace, betas[t + 1])
        u = tf.cast(random.scalars(of_uniform), dtype)
        accepted = tf.math.log(tf.maximum(u, 2.0**-25)) < change  # False for NaN
        z = tf.where(wide(accepted, z), proposed, z)
        known = tuple(
            tf.where(wide(accepted, new) if new.shape.rank > 1 else accepted, new, old)
            for new, old in zip(after, known, strict=True)
        )
        chance = tf.where(tf.math.is_finite(change), tf.exp(tf.minimum(change, 0.0)), 0.0)
        chance = tf.reduce_mean(tf.reshape(chance, [n, chains]), axis=1)
        return t + 1, z, known, total, size * tf.exp(PACE * (chance - WANTED)), noted.write(t, size)

    total = tf.zeros([n * chains], tf.float64)
    state = (tf.constant(0), z, energies(z), total, usual, noted)
    _, _, _, total, _, noted = tf.while_loop(lambda t, *_: t < steps, step, state, maximum_iterations=steps)
    return tf.reshape(total, [n, chains]), noted.stack()


def _leaped(energies, z, known, momentum, scale, pace, beta):
    """Where leapfrog steps lead, what is known there, and how much the log-density of z and momentum has grown."""

    def slope(known):
        return scale * ((1.0 - beta) * known[2] + beta * known[3])

    def density(known, momentum):
        axes = list(range(1, momentum.shape.rank))
        return (1.0 - beta) * known[0] + beta * known[1] - 0.5 * tf.reduce_sum(tf.square(momentum), axis=axes)

    def leap(i, z, momentum, known):
        momentum += 0.5 * pace * slope(known)
        z += pace * scale * momentum
        known = energies(z)
        return i + 1, z, momentum + 0.5 * pace * slope(known), known

    begin = (tf.constant(0), z, momentum, known)
    _, proposed, new, after = tf.while_loop(lambda i, *_: i < LEAPS, leap, begin, maximum_iterations=LEAPS)
    return proposed, after, density(after, new) - density(known, momentum)


def _scale(view, rows, start):
    """Standard deviations of the units where the chains start, from draws of their own: (n, *latent_shape)."""
    z = _Start(view, repeated(rows, SCALED), start).drawn(view.seeds(rows, SCALES, 0, SCALED))
    return tf.math.reduce_std(tf.reshape(z, [-1, SCALED, *view.latent_shape]), axis=1)


class _Start:
    """The density at b = 0, of rows."""

    def __init__(self, view: View, rows: Rows, start: str):
        self.view, self.rows, self.is_prior = view, rows, start == "prior"

    def drawn(self, seeds):
        if self.is_prior:
            return self.view.base.sample(seeds, tf.ones(tf.shape(seeds)[:1]), self.rows.features)
        return self.view.posterior.drawn_by(self.rows.parameters, seeds)

    def log_prob(self, z):
        if self.is_prior:
            return self.view.base.log_prob(z, self.rows.features)
        return self.view.posterior.density_by(self.rows.parameters, z)
