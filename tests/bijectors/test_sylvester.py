"""Sylvester maps where the battery does not look: the paper's formula, and how well they invert."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo import bijectors as b
from flowzoo.bijectors.sylvester import STEEPEST
from flowzoo.conditioners import MLP

KINDS = {"orthogonal": (2, 2), "householder": (5, 2), "triangular": (5, 0)}  # directions, reflections
EVERY = pytest.mark.parametrize("kind", KINDS)


def _map(kind, scale=1.0, dtype="float64", conditioner=None):
    directions, reflections = KINDS[kind]
    sylvester = b.Sylvester((5,), conditioner, directions=directions, reflections=reflections, seed=1, dtype=dtype)
    numbers = np.random.default_rng(0)
    for weight in sylvester.own:
        weight.assign(scale * numbers.normal(size=weight.shape))
    return sylvester


def _matrices(sylvester):
    """Q, R, S and b of the paper, by NumPy."""
    triangles, diagonals, bias, *vectors = (weight.numpy() for weight in sylvester.own)
    m, q = sylvester.directions, np.eye(5)
    for v in vectors[0].reshape(-1, 5) if vectors else ():
        q = q @ (np.eye(5) - 2.0 * np.outer(v, v) / (v @ v))
    square = triangles.reshape(m, m)
    outer, inner = np.split(STEEPEST * np.tanh(diagonals), 2)
    return q[:, :m], np.triu(square, 1) + np.diag(outer), np.tril(square, -1).T + np.diag(inner), bias


@EVERY
def test_it_is_the_formula_of_the_paper(kind):
    sylvester, x = _map(kind), np.random.default_rng(1).normal(size=(7, 5))
    q, r, s, bias = _matrices(sylvester)
    np.testing.assert_allclose(q.T @ q, np.eye(sylvester.directions), atol=1e-12)
    z, log_det = sylvester.encode(x)
    a = x @ q @ s.T + bias
    np.testing.assert_allclose(z, x + np.tanh(a) @ r.T @ q.T, rtol=1e-10)
    whole = [np.eye(5) + q @ r @ np.diag(1.0 - np.tanh(row) ** 2) @ s @ q.T for row in a]  # the Jacobian itself
    np.testing.assert_allclose(log_det, np.linalg.slogdet(whole)[1], rtol=1e-9, atol=1e-10)


@EVERY
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_any_weights_give_a_bijection(kind, scale):
    sylvester, x = _map(kind, scale), tf.constant(3.0 * np.random.default_rng(1).normal(size=(50, 5)))
    z, log_det = sylvester.encode(x)
    again, back = sylvester.decode(z)
    np.testing.assert_allclose(again, x, atol=1e-7)
    np.testing.assert_allclose(back, -log_det, atol=1e-6)


def test_with_one_column_it_is_planar():
    sylvester, x = (
        b.Sylvester((4,), directions=1, reflections=1, dtype="float64"),
        np.random.default_rng(1).normal(size=(6, 4)),
    )
    for weight, value in zip(sylvester.own, ([7.0], [0.4, 1.1], [0.3], [1.0, -0.5, 2.0, 0.1]), strict=True):
        weight.assign(value)
    q, outer, inner = _first_column(sylvester), *(STEEPEST * np.tanh([0.4, 1.1]))
    planar = b.Planar((4,), dtype="float64")
    for weight, value in zip(planar.own, (inner * q, outer * q, [0.3]), strict=True):
        weight.assign(value)
    for found, expected in zip(sylvester.encode(x), planar.encode(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def _first_column(sylvester):
    v = sylvester.own[3].numpy()
    return np.eye(4)[0] - 2.0 * v * v[0] / (v @ v)


@EVERY
def test_it_starts_as_the_identity_with_gradients(kind):
    directions, reflections = KINDS[kind]
    sylvester = b.Sylvester((5,), directions=directions, reflections=reflections, seed=1)
    x = tf.constant(np.random.default_rng(1).normal(size=(20, 5)), tf.float32)
    with tf.GradientTape() as tape:
        z, log_det = sylvester.encode(x)
        loss = tf.reduce_mean(0.5 * tf.reduce_sum(tf.square(z), axis=1) - log_det)
    np.testing.assert_array_equal(z, x)
    np.testing.assert_array_equal(log_det, 0.0)
    triangles, diagonals, *_ = tape.gradient(loss, sylvester.own)
    assert np.abs(diagonals[:directions]).min() > 1e-4  # of R
    assert np.abs(np.triu(np.reshape(triangles, [directions, directions]), 1)).sum() > 1e-3


def test_vectors_without_length_reflect_nothing():
    sylvester, x = _map("orthogonal"), tf.constant(np.random.default_rng(1).normal(size=(3, 5)))
    sylvester.own[3].assign(np.zeros(10))
    with tf.GradientTape() as tape:
        z, log_det = sylvester.encode(x)
        loss = tf.reduce_sum(z) + tf.reduce_sum(log_det)
    np.testing.assert_array_equal(z[:, 2:], x[:, 2:])  # the axes after the directions
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, sylvester.own))


def test_errors_say_what_was_expected():
    with pytest.raises(ValueError, match="`directions` must be at most the number of features, 5, got 6"):
        b.Sylvester((5,), directions=6)
    with pytest.raises(ValueError, match="`reflections`"):
        b.Sylvester((5,), reflections=-1)
    with pytest.raises(ValueError, match=r"needs a vector, got event_shape \(2, 2, 5\)"):
        b.Sylvester((2, 2, 5))
    count = b.Sylvester.parameter_count(5, directions=2, reflections=1)
    assert count == 4 + 4 + 2 + 5
    with pytest.raises(ValueError, match=rf"output_event_shape \({count},\), got \(3,\)"):
        b.Sylvester((5,), MLP(0, 3, [], 2), directions=2, reflections=1)
