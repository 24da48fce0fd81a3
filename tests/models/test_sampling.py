"""Sampling is stateless and per row; samples fit the density, and the density integrates to 1."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo import flows
from flowzoo.core import random
from tests import cases

EVERY = list(cases.FLOWS)
PLANE = [name for name in EVERY if cases.flow(name).event_shape == (2,)]


def _same(actual, expected, integers):
    """Equal up to rounding, which at the edge of a bin moves an integer by one."""
    actual, expected = np.asarray(actual, float), np.asarray(expected, float)
    if integers:
        assert np.abs(actual - expected).max() <= 1 and (actual == expected).mean() > 0.98
    else:
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_a_row_depends_on_its_own_seed_temperature_and_condition_only(name):
    model, (_, condition) = cases.flow(name), cases.flow_data(name)
    seeds, temperature = random.row_seeds(11, 6), np.linspace(0.1, 1.2, 6).astype("float32")
    x = model.sample(6, condition, temperature, seeds).numpy()
    assert x.shape == (6, *model.event_shape) and x.dtype == model.data_dtype
    np.testing.assert_array_equal(model.sample(6, condition, temperature, seeds), x)
    order = np.array([4, 2, 5])
    some = None if condition is None else condition[order]
    _same(model.sample(3, some, temperature[order], tf.gather(seeds, order)), x[order], model.bits)
    _same(model.sample(6, condition, temperature, seeds, batch_size=2), x, model.bits)
    constants = tf.constant(temperature), None if condition is None else tf.constant(condition)
    _same(model.raw.sample(seeds, *constants), x, model.bits)  # eager; under XLA: test_compiled.py


def test_a_caller_compiles_batches_of_one_size():
    flow = cases.flow("maf")
    draw = tf.function(lambda seed: flow.sample(4, seed=seed, batch_size=4), jit_compile=True)
    np.testing.assert_allclose(draw(3), flow.sample(4, seed=3), rtol=1e-4, atol=1e-5)


def test_seeds():
    model = cases.flow("realnvp")
    np.testing.assert_allclose(model.sample(5, seed=3), model.sample(9, seed=3)[:5], rtol=1e-5)
    assert (model.sample(5, seed=3).numpy() != model.sample(5, seed=4).numpy()).all()
    assert (model.sample(5).numpy() != model.sample(5).numpy()).all()
    tf.random.set_seed(1)
    one = model.sample(5)
    tf.random.set_seed(1)
    np.testing.assert_array_equal(model.sample(5), one)
    assert model.sample(0, seed=1).shape == model.sample(0, seed=np.zeros((0, 2), "int64")).shape == (0, 2)
    cold = model.sample(4, temperature=0.0, seed=1).numpy()
    np.testing.assert_allclose(cold, np.repeat(model.decode(np.zeros((1, 2), "float32"))[0], 4, axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"seed": np.zeros((3, 2), "int32")},
            r"`seed` must be an int or \(4, 2\) int32.*got dtype int32 and shape \(3, 2\)",
        ),
        ({"seed": np.zeros((4, 2), "float32")}, r"`seed` must be an int or \(4, 2\) int32.*got dtype float32"),
        ({"seed": [[2**32, 0]] * 4}, "`seed` must hold integers from -2147483648 to 2147483647.*got 0 to 4294967296"),
        ({"seed": np.full((4, 2), 2**64 - 1, "uint64")}, "`seed` must hold integers from .*got 18446744073709551615"),
        ({"seed": tf.fill((4, 2), tf.constant(2**31, "int64"))}, "`seed` must hold integers .*got 2147483648 to"),
        ({"seed": -1}, "`seed` must be a whole number from 0 to .*, got -1"),
        ({"seed": 2**64}, "`seed` must be a whole number from 0 to 18446744073709551615, got 18446744073709551616"),
        ({"temperature": -1.0}, "`temperature` must be one finite number >= 0.*got -1.0"),
        ({"temperature": "warm"}, "`temperature` must be one finite number >= 0.*got 'warm'"),
        ({"temperature": np.ones(3)}, r"`temperature` must be .*\(4,\) of them"),
        ({"condition": np.zeros(4, "int32")}, "takes no `condition`"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        cases.flow("realnvp").sample(4, **arguments)


@pytest.mark.parametrize("name", PLANE)
def test_density_integrates_to_one_and_samples_fit_it(name):
    model, condition = cases.flow(name), cases.flow_data(name, 1)[1]
    count = 8000
    x = model.sample(
        count, None if condition is None else np.repeat(condition, count, axis=0), seed=5, batch_size=count
    )
    reach, cells = np.abs(x).max() * 1.3, 300
    axis = (np.arange(cells) + 0.5) / cells * 2 * reach - reach
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2).astype("float32")
    repeated = None if condition is None else np.repeat(condition, len(grid), axis=0)
    mass = np.exp(model.log_prob(grid, repeated).numpy().astype("float64")) * (2 * reach / cells) ** 2
    assert abs(mass.sum() - 1) < 0.01
    expected = mass.reshape(6, 50, 6, 50).sum(axis=(1, 3)) * count
    found = np.histogram2d(*x.numpy().T, bins=np.linspace(-reach, reach, 7))[0]
    often = expected > 20
    deviation = (found - expected)[often] / np.sqrt(expected[often])
    assert np.square(deviation).sum() < often.sum() + 5 * np.sqrt(2 * often.sum())


@pytest.mark.parametrize(
    "config",
    [
        ("glow", {"event_shape": (2, 2, 1), "bits": 1, "levels": 1, "depth": 1, "hidden": 4}),
        ("realnvp", {"event_shape": (2, 2, 1), "bits": 1, "levels": 1, "depth": 1, "hidden": 4, "blocks": 1}),
    ],
    ids=["glow", "realnvp-image"],
)
def test_probabilities_of_all_images_fit_the_samples(config):
    family, options = config
    model = flows.create(family, **options)
    every = np.indices((2,) * 4).reshape(4, 16).T.reshape(16, 2, 2, 1).astype("uint8")
    model.adapt(np.repeat(every, 20, axis=0))
    cases.randomized(model, 0.15)
    count = 40_000
    z = random.normal(random.row_seeds(1, count), (4,))
    y = model.bijection.decode(z)[0].numpy().reshape(count, 4)
    inside = ((y >= 0) & (y < 1)).all(axis=1)  # what lies outside belongs to no image
    index = (np.floor(2 * y[inside]).astype(int) * [8, 4, 2, 1]).sum(axis=1)
    found = np.bincount(index, minlength=16) / count
    expected = np.exp(model.log_prob(every, samples=1500).numpy())
    assert inside.mean() > 0.1
    np.testing.assert_allclose(expected.sum(), inside.mean(), rtol=0.05)
    np.testing.assert_allclose(found, expected, rtol=0.1, atol=5 * np.sqrt(expected.max() / count))
