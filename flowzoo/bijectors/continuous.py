"""Continuous flows: y moves from data to latent along dy/dt = velocity(t, y)."""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core import random
from flowzoo.core.checks import check_count, check_number
from flowzoo.core.context import Context
from flowzoo.core.transform import Transform
from flowzoo.ode import Solver, solve

NOISES = ("rademacher", "gaussian")
APART = -1  # folded into the streams of probes: no place in a chain, so that no dequantization noise equals a probe


class Continuous(Transform):
    """z = y(T) where y(0) = x and dy/dt = velocity(t, y); log_det is the integral of the trace of d velocity / dy.

    The trace is exact, the sum over all directions, or estimated by e' J e with random e, drawn once per solve
    (Hutchinson). Each row draws from its own stream where the context has a `root`, as under a flow's `log_prob`; else
    all rows share their probes, so that the log_dets of encode and decode cancel.

    Args:
      velocity: a `Velocity`.
      solver: how the equation is solved; `Solver()` if not given.
      time: T, the time at which z is reached.
      probes: number of probes of the trace in training; 0 for the exact trace.
      noise: "rademacher" or "gaussian".
      exact_up_to: with at most this many entries of x the trace is exact outside training.
      evaluation_probes: number of probes outside training, with more entries.
      kinetic: weight of the penalty on the integral of |velocity|^2, in training.
      jacobian: weight of the penalty on the integral of the squared Frobenius norm of d velocity / dy, in training.
      seed: of the probes.
      dtype: float32 or float64.

    References: Chen et al. 2018, arXiv:1806.07366; Grathwohl et al. 2019, FFJORD, arXiv:1810.01367; Finlay et al. 2020,
    How to train your neural ODE, arXiv:2002.02798 (the penalties).
    """

    takes_context = True
    manages_memory = True  # the solver decides what is kept for gradients

    def __init__(
        self,
        velocity: keras.layers.Layer,
        solver: Solver | None = None,
        *,
        time: float = 1.0,
        probes: int = 1,
        noise: str = "rademacher",
        exact_up_to: int = 64,
        evaluation_probes: int = 16,
        kinetic: float = 0.0,
        jacobian: float = 0.0,
        seed: int = 0,
        dtype: str = "float32",
        name: str | None = None,
    ):
        super().__init__(velocity.input_event_shape, dtype=dtype, name=name)
        if noise not in NOISES:
            raise ValueError(f"`noise` must be one of {list(NOISES)}, got {noise!r}.")
        self.velocity, self.solver, self.noise = velocity, solver or Solver(), noise
        self.time = check_number(time, "time")
        self.probes, self.seed = check_count(probes, "probes", 0), check_count(seed, "seed", 0)
        self.evaluation_probes = check_count(evaluation_probes, "evaluation_probes", 2)
        self.kinetic = check_number(kinetic, "kinetic", zero=True)
        self.jacobian = check_number(jacobian, "jacobian", zero=True)
        self.size = math.prod(self.event_shape)
        self.exact = self.size <= check_count(exact_up_to, "exact_up_to", 0)
        self.kind = "exact" if self.exact else "estimate"

    def _encode(self, x, condition, context):
        return self._moved(x, condition, context, 0.0, self.time)

    def _decode(self, z, condition, context):
        return self._moved(z, condition, context, self.time, 0.0)

    def path(self, x: tf.Tensor, condition: tf.Tensor | None = None, points: int = 33) -> tf.Tensor:
        """Where x is on its way to z, at equally spaced times: (points, batch, *event_shape)."""
        places, times = [self._checked(x, self.event_shape, "x")], np.linspace(0.0, self.time, points).tolist()
        for start, end in itertools.pairwise(times):
            places.append(self._moved(places[-1], condition, Context(log_det=False), start, end)[0])
        return tf.stack(places)

    def _moved(self, y, condition, context, start, end):
        """The end of the path, and log_det."""
        directions, columns = self._directions(context, tf.shape(y)[0])
        penalized = context.training and (self.kinetic or self.jacobian)
        size, shape = self.size, [-1, *self.event_shape]

        def derivative(t, state, *condition):
            y = tf.reshape(state[:, :size], shape)
            if not columns:
                return tf.pad(tf.reshape(self.velocity(t, y, *condition), [-1, size]), [[0, 0], [0, 1]])
            e = directions if directions is not None else self._every_direction(y)
            velocity, tangents = self.velocity.along(t, y, e, *condition)
            velocity, tangents = tf.reshape(velocity, [-1, size]), _flat(tangents, size)
            traces = tf.reduce_sum(_flat(e, size) * tangents, axis=2)  # (directions, batch)
            change = [velocity, tf.transpose(traces) if directions is not None else tf.reduce_sum(traces, 0)[:, None]]
            if penalized:
                frobenius = tf.reduce_sum(tf.square(tangents), axis=2)
                many = 1 if directions is None else columns
                squares = tf.reduce_sum(tf.square(velocity), axis=1)
                penalty = self.kinetic * squares + self.jacobian * tf.reduce_sum(frobenius, axis=0) / many
                change.append(penalty[:, None] * (1.0 if end > start else -1.0))
            return tf.concat(change, axis=1)

        extra = max(columns, 1) + bool(penalized)  # a log_det that is not needed stays 0
        state = tf.pad(tf.reshape(y, [-1, size]), [[0, 0], [0, extra]])
        extras = [] if condition is None else [tf.convert_to_tensor(condition)]
        solution = solve(derivative, state, start, end, extras, solver=self.solver, controlled=size + columns)
        context.note("evaluations", solution.evaluations)
        if penalized:
            context.penalize(solution.y[:, -1])
        log_dets = solution.y[:, size : size + max(columns, 1)]
        error = tf.math.reduce_std(log_dets, axis=1) / math.sqrt(max(columns - 1, 1))
        context.note("variance", tf.square(error))  # of log_det, over the probes; 0 if exact
        return tf.reshape(solution.y[:, :size], shape), tf.reduce_mean(log_dets, axis=1)

    def _directions(self, context, rows):
        """Probes (directions, batch, *event_shape), or None for all directions, and the number of log_dets."""
        if not context.log_det and not context.training:
            return None, 0
        count = self.probes if context.training else 0 if self.exact else self.evaluation_probes
        if not count:
            return None, 1
        streams = random.row_seeds(0, 1) if context.root is None else context.root
        streams, shape = random.fold_in(random.fold_in(streams, APART), self.seed), (count, *self.event_shape)
        if self.noise == "gaussian":
            drawn = random.normal(streams, shape)
        else:
            drawn = tf.where(random.uniform(streams, shape) < 0.5, -1.0, 1.0)
        drawn = tf.cast(drawn, self.compute_dtype) + tf.zeros([rows, *[1] * len(shape)], self.compute_dtype)
        return tf.transpose(drawn, [1, 0, *range(2, drawn.shape.rank)]), count

    def _every_direction(self, y):
        basis = tf.reshape(tf.eye(self.size, dtype=y.dtype), [self.size, 1, *self.event_shape])
        return tf.broadcast_to(basis, [self.size, tf.shape(y)[0], *self.event_shape])


def _flat(stacked, size):
    return tf.reshape(stacked, [tf.shape(stacked)[0], -1, size])
