import numpy as np
import pytest
import tensorflow as tf

from flowzoo import bijectors as b
from tests import cases

CASES = {"cayley": b.CayleyOrthogonal, "householder": b.Householder}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_transpose_is_the_inverse(name, scale):
    layer = CASES[name]((9,), seed=1)
    for weight in layer.trainable_weights:
        weight.assign(scale * weight)
    matrix = layer.encode(np.eye(9, dtype="float32"))[0].numpy()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(9), atol=2e-6)
    np.testing.assert_allclose(layer.decode(np.eye(9, dtype="float32"))[0], matrix.T, atol=1e-7)


def test_cayley_is_the_formula():
    layer = cases.randomized(b.CayleyOrthogonal((6,), dtype="float64"))
    lower, unit = np.tril(layer.lower, -1), np.eye(6)
    skew = lower - lower.T
    expected = (unit - skew) @ np.linalg.inv(unit + skew)
    np.testing.assert_allclose(layer.encode(unit)[0], expected, atol=1e-12)
    assert np.linalg.det(expected) > 0  # a rotation


def test_householder_reflects():
    layer = b.Householder((4,), 1, dtype="float64")
    v, unit = layer.vectors.numpy()[0], np.eye(4)
    np.testing.assert_allclose(layer.encode(v[None])[0], -v[None], rtol=1e-12)
    across = np.linalg.svd(v[None])[2][1:]
    np.testing.assert_allclose(layer.encode(across)[0], across, atol=1e-12)
    for reflections, sign in ((2, 1.0), (3, -1.0)):
        matrix = b.Householder((4,), reflections, dtype="float64").encode(unit)[0].numpy()
        np.testing.assert_allclose(np.linalg.det(matrix), sign)
    layer.vectors.assign(0.0 * layer.vectors)
    np.testing.assert_array_equal(layer.encode(unit)[0], unit)  # no direction, no reflection
    for wrong in (0, 1.5):
        with pytest.raises(ValueError, match=f"`reflections` must be a whole number >= 1, got {wrong}"):
            b.Householder((4,), wrong)


@pytest.mark.parametrize("size", [0.0, 1e-20, 1e-10, 1e20])
def test_householder_has_gradients_whatever_the_length(size):
    layer = b.Householder((3,), 1)
    layer.vectors.assign([[0.0, -size, 0.5 * size]])
    with tf.GradientTape() as tape:
        z = layer.encode(np.ones((1, 3), "float32"))[0]
        second = z[0, 1]
    gradient = tape.gradient(second, layer.vectors)
    assert np.isfinite(z).all() and np.isfinite(gradient).all()
    np.testing.assert_allclose(tf.norm(z), 3**0.5, rtol=1e-6)
