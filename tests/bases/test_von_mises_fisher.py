"""The von Mises-Fisher distribution and its angle against SciPy and closed forms."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, special, stats

from flowzoo.bases import ConditionalNormal, ConditionalVonMisesFisher, StandardNormal
from flowzoo.bases.polar_angle import PolarAngle
from flowzoo.bases.sphere import log_area
from flowzoo.conditioners import MLP
from flowzoo.core import random
from flowzoo.models.flow import Flow
from flowzoo.surjections import Stochastic
from tests import cases

CONCENTRATIONS = np.array([0.1, 1.0, 10.0, 100.0, 1000.0, 3000.0])
SIZES = [2, 3, 11, 41]
BASE = cases.randomized(ConditionalVonMisesFisher((4,), 3, MLP(3, 5, [6], seed=1)))
GIVEN = tf.constant(np.random.default_rng(0).normal(size=(8, 3)), tf.float32)
ROWS = 100_000


def mean_cosine(size, k):
    return special.ive(size / 2, k) / special.ive(size / 2 - 1, k)


def slope(size, k):
    """A' = 1 - A^2 - (size - 1) A / k of the mean cosine A (Mardia & Jupp 2000, Directional Statistics)."""
    mean = mean_cosine(size, k)
    return 1.0 - mean**2 - (size - 1.0) * mean / k


@pytest.mark.parametrize("size", SIZES)
def test_integrals_are_bessel_functions(size):
    k, order = CONCENTRATIONS, size / 2 - 1
    expected = np.log(special.ive(order, k)) - order * np.log(k) + 0.5 * size * np.log(2 * np.pi) - log_area(size - 1)
    for dtype, tolerance in (("float32", 3e-6), ("float64", 1e-8)):
        given = tf.constant(k, dtype)
        with tf.GradientTape() as tape:
            tape.watch(given)
            angle = PolarAngle(given, size)
            found = angle.log_integral()
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(angle.mean_cosine(), mean_cosine(size, k), atol=tolerance)
        np.testing.assert_allclose(-tape.gradient(found, given), 1.0 - mean_cosine(size, k), rtol=tolerance)


@pytest.mark.parametrize("size", SIZES)
def test_the_angle_and_its_slope_have_the_right_means_under_xla(size):
    """With one uniform number from each of many strata, so that what remains is the error of the map itself."""
    rows = 5000
    u = np.tile((np.arange(rows) + 0.5) / rows, len(CONCENTRATIONS)).astype("float32")
    k = tf.constant(np.repeat(CONCENTRATIONS, rows), tf.float32)

    @tf.function(jit_compile=True, autograph=False)
    def drawn(k, u):
        with tf.GradientTape() as tape:
            tape.watch(k)
            cosine = tf.cos(PolarAngle(k, size).draw(u))
        return cosine, tape.gradient(cosine, k)

    cosine, by_k = (value.numpy().astype(float).reshape(len(CONCENTRATIONS), rows) for value in drawn(k, u))
    np.testing.assert_allclose(1.0 - cosine.mean(axis=1), 1.0 - mean_cosine(size, CONCENTRATIONS), rtol=2e-3)
    np.testing.assert_allclose(by_k.mean(axis=1), slope(size, CONCENTRATIONS), rtol=2e-3)


@pytest.mark.parametrize("size", SIZES)
def test_it_inverts_the_distribution_function(size):
    u = np.array([2.0**-25, 1e-4, 0.03, 0.5, 0.9, 0.999, 1.0 - 2.0**-24], "float32")
    for k in (0.1, 20.0, 3000.0):
        found = PolarAngle(tf.constant(np.full(len(u), k), tf.float64), size).draw(tf.constant(u, tf.float64)).numpy()

        def density(t, k=k):
            return np.exp(-2.0 * k * np.sin(0.5 * t) ** 2) * np.sin(t) ** (size - 2)

        mode = np.arccos(2.0 * k / (size - 2 + np.hypot(size - 2, 2.0 * k)))
        edges = np.unique(np.clip(mode + np.linspace(-20, 20, 41) / np.sqrt(k + size), 0.0, np.pi))
        edges = np.unique(np.concatenate([[0.0, np.pi], edges]))

        def mass(end, edges=edges):
            ends = np.minimum(edges, end)
            return sum(integrate.quad(density, a, b, epsabs=0)[0] for a, b in itertools.pairwise(ends) if a < b)

        np.testing.assert_allclose([mass(t) / mass(np.pi) for t in found], u, rtol=1e-6, atol=1e-9)


def test_density_and_mean_are_scipys():
    z = stats.uniform_direction(4).rvs(8, random_state=0)
    mean, concentration = (value.numpy().astype(float) for value in BASE._parameters(GIVEN))
    np.testing.assert_allclose(np.linalg.norm(mean, axis=1), 1.0, rtol=1e-6)
    assert (concentration > 0.1).all() and (concentration < 3000.0).all() and np.ptp(concentration) > 1.0
    truth = [stats.vonmises_fisher(m / np.linalg.norm(m), k) for m, k in zip(mean, concentration, strict=True)]
    expected = [one.logpdf(row) for one, row in zip(truth, z, strict=True)]
    np.testing.assert_allclose(BASE.log_prob(tf.constant(z, tf.float32), GIVEN), expected, rtol=1e-5, atol=1e-5)
    expected = mean_cosine(4, concentration)[:, None] * mean
    np.testing.assert_allclose(BASE.mean(GIVEN), expected, rtol=1e-5, atol=1e-6)
    view = BASE.distribution(GIVEN)
    np.testing.assert_allclose(view.log_prob(tf.constant(z, tf.float32)), BASE.log_prob(z, GIVEN), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(view.mean(), expected, rtol=1e-4, atol=1e-5)


def test_float64_has_all_its_digits():
    base = ConditionalVonMisesFisher((4,), 3, MLP(3, 5, [6], seed=1, dtype="float64"), dtype="float64")
    given = tf.cast(GIVEN, tf.float64)
    z, log_prob = cases.randomized(base).sample_with_log_prob(random.row_seeds(3, 8), tf.ones(8), given)
    mean, concentration = (value.numpy() for value in base._parameters(given))
    truth = [stats.vonmises_fisher(*pair).logpdf(row) for *pair, row in zip(mean, concentration, z, strict=True)]
    np.testing.assert_allclose(log_prob, truth, rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, rtol=1e-14)


@pytest.mark.parametrize("size", [2, 3, 11])
@pytest.mark.parametrize("first", [1.0, -1.0])  # the mean lies at either pole of the reflection
def test_draws_follow_scipys_distribution(size, first):
    base = ConditionalVonMisesFisher((size,), 1, MLP(1, size + 1, []))
    mean = np.full(size, 0.2)
    mean[0] = first
    mean, rows = mean / np.linalg.norm(mean), 20_000
    parameters = tf.constant(np.tile(mean, (rows, 1)), tf.float32), tf.fill([rows], 7.0)
    z = base._drawn(random.row_seeds(1, rows), tf.ones(rows), parameters).numpy().astype(float)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, atol=1e-6)
    theirs = stats.vonmises_fisher(mean, 7.0).rvs(rows, random_state=0)
    assert stats.ks_2samp(z @ mean, theirs @ mean).pvalue > 1e-3
    across = np.linalg.qr(np.column_stack([mean, np.eye(size)[:, 1]]))[0][:, 1]  # orthogonal to the mean
    assert stats.ks_2samp(z @ across, theirs @ across).pvalue > 1e-3
    other = np.linalg.svd(mean[None])[2][-1]
    assert stats.ks_2samp(z @ other, theirs @ other).pvalue > 1e-3
    assert abs(np.corrcoef(z @ mean, z @ across)[0, 1]) < 4.0 / np.sqrt(rows)


@pytest.mark.parametrize(("size", "k"), [(3, 4.0), (11, 20.0)])
def test_gradients_of_draws_are_those_of_the_expectation(size, k):
    """E[c . z] = A(k) c . mu, so its gradients by k and v, mu = v / |v|, are known."""
    base = ConditionalVonMisesFisher((size,), 1, MLP(1, size + 1, []))
    numbers = np.random.default_rng(2)
    c, v = numbers.normal(size=(2, size)) + 0.5
    v /= np.linalg.norm(v)

    def sums(concentration, vector):
        mean = tf.repeat(tf.math.l2_normalize(vector)[None], ROWS, axis=0)
        z = base._drawn(random.row_seeds(5, ROWS), tf.ones(ROWS), (mean, tf.repeat(concentration, ROWS)))
        return tf.linalg.matvec(z, tf.constant(c, tf.float32))

    concentration, vector = tf.constant([k], tf.float32), tf.constant(v, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([concentration, vector])
        mean = tf.reduce_mean(sums(concentration, vector))
    by_k, by_v = tape.gradient(mean, [concentration, vector])
    np.testing.assert_allclose(by_k[0], slope(size, k) * (c @ v), rtol=0.05, atol=3.0 / k / np.sqrt(ROWS))
    expected = mean_cosine(size, k) * (c - (c @ v) * v)
    np.testing.assert_allclose(by_v, expected, atol=5.0 * np.linalg.norm(c) / np.sqrt(ROWS))


def test_rows_are_on_their_own_and_xla_equals_eager():
    seeds, one = random.row_seeds(3, 8), tf.ones(8)
    z, log_prob = BASE.sample_with_log_prob(seeds, one, GIVEN)
    np.testing.assert_allclose(log_prob, BASE.log_prob(z, GIVEN), rtol=1e-5)
    graph, compiled = (
        tf.function(BASE.sample_with_log_prob, jit_compile=xla, autograph=False) for xla in (False, True)
    )
    for found in (graph(seeds, one, GIVEN), compiled(seeds, one, GIVEN)):
        np.testing.assert_allclose(found[0], z, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found[1], log_prob, rtol=1e-4, atol=1e-4)
    bad = tf.tensor_scatter_nd_update(GIVEN, [[2, 1]], [np.nan])
    for found, clean in zip(graph(seeds, one, bad), graph(seeds, one, GIVEN), strict=True):
        np.testing.assert_array_equal(np.delete(found, 2, axis=0), np.delete(clean, 2, axis=0))
        assert np.isnan(found[2]).all()


def test_the_temperature_multiplies_the_angle():
    seeds = random.row_seeds(3, 8)
    mean = BASE._parameters(GIVEN)[0]
    one, half, cold = (BASE.sample(seeds, tf.fill([8], t), GIVEN).numpy() for t in (1.0, 0.5, 0.0))
    np.testing.assert_allclose(cold, mean, atol=1e-6)
    angles = [np.arccos(np.sum(z * mean.numpy(), axis=1)) for z in (one, half)]
    np.testing.assert_allclose(angles[1], 0.5 * angles[0], rtol=1e-3)


def test_a_network_that_gives_no_direction_has_one():
    network = MLP(1, 4, [])
    network.head.bias.assign([-1.0, 0.0, 0.0, 0.0])  # cancels what is added
    base = ConditionalVonMisesFisher((3,), 1, network)
    given = tf.ones((2, 1))
    with tf.GradientTape() as tape:
        z, log_prob = base.sample_with_log_prob(random.row_seeds(0, 2), tf.ones(2), given)
        loss = tf.reduce_sum(log_prob) + tf.reduce_sum(z)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, atol=1e-6)
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, network.trainable_weights))


def test_what_does_not_fit_is_refused():
    for shape in ((1,), (2, 2)):
        with pytest.raises(ValueError, match=r"`event_shape` must be \(m,\) with m >= 2 for points of a sphere, got"):
            ConditionalVonMisesFisher(shape, 1, MLP(1, 5))
    with pytest.raises(ValueError, match="`least` must be positive and below `most`"):
        ConditionalVonMisesFisher((3,), 1, MLP(1, 4), least=2.0, most=1.0)
    layer = Stochastic(ConditionalVonMisesFisher((3,), 2, MLP(2, 4)), ConditionalNormal((2,), 3, MLP(3, 4)))
    with pytest.raises(ValueError, match=r"`base` must be a density of latents on the unit sphere, .* StandardNormal"):
        Flow(layer, StandardNormal((3,)))
