"""The uniform distribution on the sphere, and latents that must lie on it."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from flowzoo.bases import ConditionalNormal, ConditionalVonMisesFisher, UniformSphere, named
from flowzoo.bijectors import Chain, Reverse
from flowzoo.conditioners import MLP
from flowzoo.core import random
from flowzoo.models.flow import Flow
from flowzoo.models.paths import great_circle
from flowzoo.surjections import Stochastic


@pytest.mark.parametrize(("size", "area"), [(2, 2 * np.pi), (3, 4 * np.pi), (4, 2 * np.pi**2)])
def test_the_density_is_one_over_the_area(size, area):
    z = stats.uniform_direction(size).rvs(5, random_state=0)
    for dtype, rtol in (("float32", 1e-6), ("float64", 1e-14)):
        base = UniformSphere((size,), dtype=dtype)
        found = base.log_prob(tf.constant(z, dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(found, -np.log(area), rtol=rtol)
    off = base.log_prob(tf.constant(z * np.array([1.0, 0.5, 1.001, 0.0, np.nan])[:, None]))
    assert np.isneginf(off).tolist() == [False, True, True, True, True]


def test_draws_are_uniform_and_the_temperature_changes_nothing():
    base, seeds, rows = named("sphere", (3,)), random.row_seeds(0, 20_000), 20_000
    z = base.sample(seeds, tf.ones(rows)).numpy().astype(float)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, atol=1e-6)
    for axis in np.concatenate([np.eye(3), [[0.6, 0.0, 0.8]]]):  # Archimedes: a coordinate is uniform
        assert stats.kstest(z @ axis, stats.uniform(-1.0, 2.0).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(base.sample(seeds, tf.fill([rows], 0.3)), z.astype("float32"))
    compiled = tf.function(base.sample, jit_compile=True)(seeds, tf.ones(rows))
    np.testing.assert_allclose(compiled, z, atol=1e-5)
    np.testing.assert_allclose(base.sample(seeds[7:8], tf.ones(1))[0], z[7], rtol=1e-6)


def test_great_circles():
    numbers = stats.uniform_direction(4)
    z0, z1 = (numbers.rvs(6, random_state=seed) for seed in (0, 1))
    z1[0], z1[1] = z0[0], -z0[1]  # no way to go, and many
    path = np.stack([great_circle(tf.constant(z0), tf.constant(z1), share) for share in np.linspace(0.0, 1.0, 9)])
    np.testing.assert_allclose(np.linalg.norm(path, axis=-1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(path[[0, -1]], [z0, z1], atol=1e-12)
    steps = np.arccos(np.clip(np.sum(path[1:] * path[:-1], axis=-1), -1.0, 1.0))
    whole = np.arccos(np.clip(np.sum(z0 * z1, axis=-1), -1.0, 1.0))
    np.testing.assert_allclose(steps, np.broadcast_to(whole / 8, steps.shape), atol=1e-7)


def test_what_belongs_to_no_sphere_is_refused():
    with pytest.raises(ValueError, match=r"must be \(m,\) with m >= 2 for points of a sphere, got \(1,\)"):
        UniformSphere((1,))
    with pytest.raises(ValueError, match="latents not on a sphere, as the transform gives them, got UniformSphere"):
        Flow(Reverse((3,)), UniformSphere((3,)))
    layer = Stochastic(ConditionalVonMisesFisher((3,), 2, MLP(2, 4)), ConditionalNormal((2,), 3, MLP(3, 4)))
    with pytest.raises(ValueError, match="Stochastic, whose z lies on the unit sphere, must be the last transform"):
        Chain([layer, Reverse((3,))])
    assert Flow(Chain([layer]), UniformSphere((3,))).z_space.on_sphere
