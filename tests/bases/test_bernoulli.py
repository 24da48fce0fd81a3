"""Zeros and ones against TFP."""

import numpy as np
import tensorflow as tf

from flowzoo.bases import ConditionalBernoulli
from flowzoo.conditioners import MLP
from flowzoo.core import random
from tests import cases

BASE = cases.randomized(ConditionalBernoulli((2, 3), 4, MLP(4, 6, [5], seed=1)))
GIVEN = tf.constant(np.random.default_rng(0).normal(size=(8, 4)), tf.float32)


def test_log_prob_is_tfps_and_other_values_have_none():
    x = np.random.default_rng(1).integers(0, 2, (8, 2, 3)).astype("float32")
    np.testing.assert_allclose(BASE.log_prob(x, GIVEN), BASE.distribution(GIVEN).log_prob(x), rtol=1e-5)
    x[2, 0, 0], x[5, 1, 1] = 0.5, 2.0
    assert np.flatnonzero(np.isnan(BASE.log_prob(x, GIVEN))).tolist() == [2, 5]


def test_samples_follow_the_density_and_cool_to_the_likelier_value():
    rows = 20_000
    given, seeds = tf.repeat(GIVEN[:1], rows, axis=0), random.row_seeds(0, rows)
    x, log_prob = BASE.sample_with_log_prob(seeds, tf.ones(rows), given)
    shares = BASE.mean(GIVEN[:1])[0]
    np.testing.assert_allclose(tf.reduce_mean(x, axis=0), shares, atol=4.0 * 0.5 / np.sqrt(rows))
    np.testing.assert_allclose(log_prob, BASE.log_prob(x, given), rtol=1e-5)
    cold = BASE.sample(seeds, tf.zeros(rows), given)
    np.testing.assert_array_equal(cold, np.broadcast_to(shares > 0.5, cold.shape))
    np.testing.assert_array_equal(BASE.sample(seeds, tf.fill([rows], 1e4), given)[:, 0, 0].numpy().mean().round(1), 0.5)


def test_under_xla_as_without():
    seeds, one = random.row_seeds(3, 8), tf.ones(8)
    x, log_prob = BASE.sample_with_log_prob(seeds, one, GIVEN)
    found = tf.function(BASE.sample_with_log_prob, jit_compile=True)(seeds, one, GIVEN)
    np.testing.assert_array_equal(found[0], x)
    np.testing.assert_allclose(found[1], log_prob, rtol=1e-5)
