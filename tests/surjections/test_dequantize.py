import math

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.bijectors import Identity
from flowzoo.core import random
from flowzoo.core.context import Context
from flowzoo.surjections import AudioDequantization, UniformDequantization, VariationalDequantization


@pytest.mark.parametrize("bits", [1, 5, 8, 16])
@pytest.mark.parametrize("noise", [0.0, 2.0**-24, 0.5, 1.0 - 2.0**-24])
def test_every_value_comes_back_for_any_noise(bits, noise, monkeypatch):
    monkeypatch.setattr(random, "uniform", lambda seeds, shape: tf.fill([len(seeds), *shape], noise))
    x = np.arange(2**bits, dtype=np.uint8 if bits <= 8 else np.int32)[:, None]
    layer = UniformDequantization((1,), bits)
    z, log_det = layer.encode(x, context=Context(random.row_seeds(0, len(x))))
    assert (z.numpy() >= 0).all() and (z.numpy() < 1).all()
    again, back = layer.decode(z)
    np.testing.assert_array_equal(again, x)
    assert again.dtype == (tf.uint8 if bits <= 8 else tf.int32)
    np.testing.assert_allclose(log_det, -bits * math.log(2.0), rtol=1e-6)
    np.testing.assert_array_equal(back, -log_det)


@pytest.mark.parametrize("bits", [1, 8, 16])
@pytest.mark.parametrize("noise", [0.0, 2.0**-24, 0.5, 1.0 - 2.0**-24])
def test_every_sample_of_audio_comes_back_for_any_noise(bits, noise, monkeypatch):
    monkeypatch.setattr(random, "uniform", lambda seeds, shape: tf.fill([len(seeds), *shape], noise))
    half = 2 ** (bits - 1)
    x = np.arange(-half, half, dtype=np.int16)[:, None]
    layer = AudioDequantization((1,), 8000, bits)
    z, log_det = layer.encode(x, context=Context(random.row_seeds(0, len(x))))
    assert (z.numpy() >= -1).all() and (z.numpy() < 1).all()
    np.testing.assert_allclose(z * half, x + noise, atol=2.0**-7)
    again, back = layer.decode(z)
    np.testing.assert_array_equal(again, x)
    assert again.dtype == tf.int16
    np.testing.assert_allclose(log_det, -(bits - 1) * math.log(2.0), rtol=1e-6)
    np.testing.assert_array_equal(back, -log_det)


def test_audio_out_of_range_has_no_density_and_is_named():
    layer = AudioDequantization((2,), 8000, 8)
    x = np.array([[3, -128], [128, 0], [0, -129]], np.int16)
    z = layer.encode(x, context=Context(random.row_seeds(0, 3)))[0].numpy()
    np.testing.assert_array_equal(np.isfinite(z).all(axis=1), [True, False, False])
    assert layer.x_space.described() == "(batch, 2) integers -128 ... 127" and layer.x_space.rate == 8000


def test_noise_fills_the_bin_and_is_new_for_each_seed():
    layer = UniformDequantization((2, 2, 1))
    x = np.full((2000, 2, 2, 1), 7, np.uint8)
    z = layer.encode(x, context=Context(random.row_seeds(0, len(x))))[0].numpy() * 256 - 7
    np.testing.assert_allclose(z.mean(), 0.5, atol=0.02)
    np.testing.assert_allclose(z.var(), 1 / 12, rtol=0.05)
    assert np.abs(np.corrcoef(z.reshape(2000, 4).T) - np.eye(4)).max() < 0.12


def test_decode_clips_what_lies_outside():
    layer = UniformDequantization((3,))
    np.testing.assert_array_equal(layer.decode(tf.constant([[-5.0, 1.0, 7e8]]))[0], [[0, 255, 255]])


def test_errors():
    with pytest.raises(ValueError, match="`bits` must be a whole number from 1 to 16, got 17"):
        UniformDequantization((2,), 17)
    with pytest.raises(ValueError, match=r"`context` must have a `root` of \(batch, 2\) int32, got None"):
        UniformDequantization((2,)).encode(np.zeros((1, 2), np.uint8))


@pytest.mark.parametrize(
    ("noise", "error", "message"),
    [
        (lambda: 3, TypeError, "VariationalDequantization expected a Bijector, got int"),
        (
            lambda: UniformDequantization((2, 2, 4)),
            TypeError,
            "expected an exact bijection, got UniformDequantization of kind 'lower_bound'",
        ),
        (lambda: Identity((2, 2, 4), dtype="float64"), TypeError, "`noise` must be of dtype float32, got float64"),
        (lambda: Identity((4, 4, 1)), ValueError, r"`noise` must map \(2, 2, 4\) to itself .* got \(4, 4, 1\)"),
    ],
)
def test_a_noise_that_does_not_fit_is_named(noise, error, message):
    with pytest.raises(error, match=message):
        VariationalDequantization((4, 4, 1), noise())


def test_variational_noise_is_for_images():
    with pytest.raises(ValueError, match=r"`event_shape` must be \(height, width, channels\), got \(4,\)"):
        VariationalDequantization((4,), Identity((4,)))
