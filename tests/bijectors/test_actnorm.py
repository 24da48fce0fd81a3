import numpy as np
import pytest
import tensorflow as tf

from flowzoo.bijectors import ActNorm, ElementwiseAffine
from tests import cases


@pytest.mark.parametrize("shape", [(3,), (4, 4, 3)])
def test_adapt_gives_mean_zero_and_variance_one_per_channel(shape):
    x = np.random.default_rng(0).normal(size=(64, *shape)).astype("float32") * [1, 10, 0.1] + [5, 0, -3]
    layer = cases.randomized(ActNorm(shape))
    z = layer.adapt(x)
    np.testing.assert_array_equal(z, layer.encode(x)[0])
    axes = tuple(range(x.ndim - 1))
    np.testing.assert_allclose(tf.reduce_mean(z, axes), 0.0, atol=1e-5)
    np.testing.assert_allclose(tf.math.reduce_variance(z, axes), 1.0, rtol=1e-4)


def test_adapt_to_a_constant_channel_stays_finite():
    layer = ActNorm((2,))
    z = layer.adapt(np.full((8, 2), 3.0, "float32"))
    assert np.isfinite(z).all() and np.isfinite(layer.encode(z)[1]).all()


def test_elementwise_affine_refuses_other_parameters():
    with pytest.raises(ValueError, match=r"`parameter_shape` must be trailing axes of \(4, 2\), got \(3,\)"):
        ElementwiseAffine((4, 2), (3,))
