import numpy as np
import pytest
import tensorflow as tf

from flowzoo import flows
from flowzoo.bijectors import InvertibleLinear, Whitening
from tests import cases


def correlated(rows, channels, seed=0):
    noise = np.random.default_rng(seed)
    return noise.normal(size=(rows, channels)) @ noise.normal(size=(channels, channels)) + 3.0


@pytest.mark.parametrize("shape", [(3,), (4, 4, 3), (1,)])
def test_whitening_adapts_to_covariance_one_by_a_symmetric_map(shape):
    x = correlated(64 * int(np.prod(shape)) // shape[-1], shape[-1]).reshape(-1, *shape)
    layer = cases.randomized(Whitening(shape, dtype="float64"))
    z = layer.adapt(x)
    np.testing.assert_array_equal(z, layer.encode(x)[0])
    rows = np.reshape(z, (-1, shape[-1]))
    np.testing.assert_allclose(np.cov(rows, rowvar=False).reshape(shape[-1:] * 2), np.eye(shape[-1]), atol=1e-9)
    matrix = layer.encode(np.broadcast_to(np.eye(shape[-1])[:, *[None] * (len(shape) - 1)], (shape[-1], *shape)))[0]
    matrix = np.reshape(matrix, (shape[-1], -1, shape[-1]))[:, 0]
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-9)


@pytest.mark.parametrize("channels", [1, 2, 7])
def test_a_permutation_to_start_with_moves_every_channel(channels):
    x = np.arange(channels, dtype="float32")[None]
    for seed in range(5):
        z = InvertibleLinear((channels,), permute=True, seed=seed).encode(x)[0]
        np.testing.assert_array_equal(np.sort(z), x)
        assert channels == 1 or np.all(np.abs(z - x) > 0.5)


def test_whitening_starts_as_the_identity_and_stays_it_without_enough_rows():
    x = tf.constant(correlated(29, 3), tf.float32)
    np.testing.assert_array_equal(Whitening((3,)).adapt(x), x)


def test_whitening_of_a_constant_or_repeated_channel_stays_finite():
    x = correlated(64, 3).astype("float32")
    x[:, 1], x[:, 2] = 5.0, x[:, 0]
    layer = Whitening((3,))
    z = layer.adapt(x)
    assert np.isfinite(z).all() and np.isfinite(layer.encode(x)[1]).all()
    np.testing.assert_allclose(layer.decode(z)[0], x, atol=1e-2)


def test_whitening_is_for_vectors():
    with pytest.raises(ValueError, match="`whiten` is for vectors, leave it out for images; got True"):
        flows.create("nsf-coupling", event_shape=(4, 4, 1), bits=8, levels=1, whiten=True)
