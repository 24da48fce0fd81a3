"""The posterior of each row fitted to that row alone, which shows what one network for all rows gives away.

References: Cremer et al. 2018, Inference suboptimality in variational autoencoders, arXiv:1801.03558; for the gradient
Roeder et al. 2017, Sticking the landing, arXiv:1703.09194.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from flowzoo.core import random
from flowzoo.measure.latents.view import FITTED, Rows, View, repeated

RATE = 0.05  # of Adam, at the start; it falls to 0 as a cosine
DRAWS = 16  # of each step
MEMORY = (0.9, 0.999)  # of Adam's averages
LEAST = 1e-3  # nats per unit of a parameter: rounding, as in gradients at the optimum, must not become steps


def fitted(view: View, rows: Rows, steps: int) -> Any:
    """The parameters of each row's posterior after steps of Adam uphill on its own ELBO; the weights stay as they are.

    What changes are the numbers that the network gives for a row, such as means and log-scales, the latter also beyond
    the bound of a `ConditionalNormal`. Rows do not affect each other.

    Args:
        view, rows: the model and the rows, with the parameters to start from.
        steps: how many, with fresh draws each.
    """
    zeros = tf.nest.map_structure(tf.zeros_like, rows.parameters)

    def step(i, parameters, first, second):
        gradients = _gradients(view, rows, parameters, i)
        t = tf.cast(i, tf.float32)
        rate = RATE * 0.5 * (1.0 + tf.cos(math.pi * t / steps))
        corrections = [1.0 - tf.pow(memory, t + 1.0) for memory in MEMORY]

        def averaged(memory, old, new):
            return tf.nest.map_structure(lambda a, b: memory * a + (1.0 - memory) * b, old, new)

        def moved(value, a, b):
            one, two, size = (tf.cast(number, value.dtype) for number in (*corrections, rate))
            return value - size * (a / one) / (tf.sqrt(b / two) + LEAST)

        first = averaged(MEMORY[0], first, gradients)
        second = averaged(MEMORY[1], second, tf.nest.map_structure(tf.square, gradients))
        return i + 1, tf.nest.map_structure(moved, parameters, first, second), first, second

    start = (tf.constant(0), rows.parameters, zeros, zeros)
    return tf.while_loop(lambda i, *_: i < steps, step, start, maximum_iterations=steps)[1]


def _gradients(view, rows, parameters, i):
    """Of -ELBO, with the density's own dependence on the parameters, whose expectation is 0, left out."""
    streams = random.fold_in(rows.streams, FITTED)
    seeds = view.seeds(rows._replace(streams=random.fold_in(streams, i)), FITTED, 0, DRAWS)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        many = repeated(rows._replace(parameters=parameters), DRAWS)
        z = view.posterior.drawn_by(many.parameters, seeds)
        log_q = view.posterior.density_by(tf.nest.map_structure(tf.stop_gradient, many.parameters), z)
        loss = tf.reduce_sum(log_q - view.log_joint(many, z)) / DRAWS
    return tape.gradient(loss, parameters, unconnected_gradients=tf.UnconnectedGradients.ZERO)
