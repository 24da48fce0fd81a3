"""Surjections against closed forms: what they add to log p(x), and how they draw what encode forgets."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from flowzoo import surjections
from flowzoo.bases import StandardNormal, Uniform
from flowzoo.core.context import Context
from flowzoo.core.random import row_seeds
from flowzoo.models.flow import Flow
from tests import cases

INFERENCE = ("absolute-value", "absolute-value-point", "sort", "max-pool")


class Constant(keras.layers.Layer):
    """A network that gives the same numbers for all z."""

    def __init__(self, features, outputs):
        super().__init__()
        self.outputs = np.asarray(outputs, "float64")
        self.input_event_shape, self.output_event_shape = (features,), (len(outputs),)

    def call(self, z, condition=None):
        return tf.zeros_like(z[:, :1]) + tf.cast(self.outputs, z.dtype)


def context(rows, seed=0):
    return Context(row_seeds(seed, rows))


@pytest.mark.parametrize("name", INFERENCE)
def test_encode_gives_back_what_decode_took(name):
    transform = cases.transform(name, "float64")
    assert transform.kind == "exact" and transform.draws == {"decode"} and not transform.invertible
    _, condition, drawn = cases.transform_data(name, dtype="float64")
    z = tf.constant(np.random.default_rng(3).uniform(-0.95, 0.95, (6, *transform.latent_shape)))
    x, decoded = transform.decode(z, condition, drawn)
    again, encoded = transform.encode(x, condition)
    np.testing.assert_allclose(again, z, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(encoded, -decoded, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", INFERENCE)
def test_a_row_draws_by_its_own_stream(name):
    transform, z = cases.transform(name), tf.zeros((6, *cases.transform(name).latent_shape))
    condition = cases.transform_data(name)[1]
    x, _ = transform.decode(z, condition, context(6))
    some = None if condition is None else condition[3:]
    np.testing.assert_array_equal(transform.decode(z[3:], some, Context(row_seeds(0, 6)[3:]))[0], x[3:])


@pytest.mark.parametrize("point", [False, True])
def test_a_sign_has_the_probability_that_the_network_gives(point):
    fold = surjections.AbsoluteValue((2,), Constant(2, [0.8]), 1, point=point)
    x = np.random.default_rng(0).uniform(-1, 1, (400, 2)).astype("float32")
    z, log_det = fold.encode(x)
    negative = x[:, 1] < 0
    expected = np.where(negative, stats.bernoulli(1 / (1 + np.exp(-0.8))).logpmf(0), -np.log1p(np.exp(-0.8)))
    np.testing.assert_allclose(log_det, np.log(2) + expected, rtol=1e-5)
    mirrored = np.where(negative & point, -x[:, 0], x[:, 0])
    np.testing.assert_allclose(z, np.stack([mirrored, 2 * np.abs(x[:, 1]) - 1], axis=1), atol=1e-6)
    drawn, _ = fold.decode(tf.zeros((20_000, 2)) + 0.5, None, context(20_000))
    assert np.mean(drawn[:, 1] > 0) == pytest.approx(1 / (1 + np.exp(-0.8)), abs=0.01)
    np.testing.assert_allclose(np.abs(drawn[:, 1]), 0.75)


def test_uniform_numbers_stay_uniform():
    """Of n uniform numbers in order, (w_k / w_{k+1})^k are independent and uniform (Renyi 1953)."""
    w = np.random.default_rng(0).uniform(size=(2000, 4))
    z, log_det = surjections.Sort((4,), bound=0.5, dtype="float64").encode(w - 0.5)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-9)
    for k in range(4):
        assert stats.kstest(z[:, k] + 0.5, "uniform").pvalue > 0.001
    assert np.abs(np.corrcoef(np.transpose(z)) - np.eye(4)).max() < 0.08
    sort, x = surjections.Sort((4,), Constant(4, [0.0] * 4), dtype="float64"), tf.constant(w[:50] - 0.5)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z, log_det = sort.encode(x)
    slopes = np.linalg.slogdet(tape.batch_jacobian(z, x))[1]
    np.testing.assert_allclose(log_det, slopes - np.log(24), atol=1e-9)


def test_orders_are_drawn_from_plackett_luce():
    scores = np.array([0.5, -1.0, 0.2])
    sort = surjections.Sort((3,), Constant(3, scores), dtype="float64")
    weights, expected = np.exp(scores), {}
    for order in itertools.permutations(range(3)):
        left = [weights[list(order[i:])].sum() for i in range(3)]
        expected[order] = np.prod(weights[list(order)] / left)
    assert sum(expected.values()) == pytest.approx(1)
    z, rows = tf.constant([[0.1, 0.3, 0.7]], tf.float64), 30_000
    x, _ = sort.decode(tf.repeat(z, rows, axis=0), None, context(rows))
    orders = np.argsort(x, axis=1)
    for order, probability in expected.items():
        share = (orders == order).all(axis=1).mean()
        assert share == pytest.approx(probability, abs=4 * np.sqrt(probability / rows))
        ranked = np.empty(3)
        ranked[list(order)] = [-0.2, 0.1, 0.6]
        _, log_det = sort.encode(ranked[None])
        np.testing.assert_allclose(log_det, np.log(6 * probability))


def test_the_largest_of_a_block_and_half_normal_distances():
    pool = surjections.MaxPool((4, 4, 2))
    pool.log_scale.assign([0.3, -0.4])
    x = np.random.default_rng(0).normal(size=(5, 4, 4, 2)).astype("float32")
    z, log_det = pool.encode(x)
    blocks = x.reshape(5, 2, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4, 5).reshape(5, 2, 2, 4, 2)
    np.testing.assert_array_equal(z, blocks.max(axis=3))
    below = np.sort(blocks.max(axis=3, keepdims=True) - blocks, axis=3)[:, :, :, 1:]
    expected = stats.halfnorm(scale=np.exp([0.3, -0.4])).logpdf(below).sum(axis=(1, 2, 3, 4)) - 8 * np.log(4)
    np.testing.assert_allclose(log_det, expected, rtol=1e-5)


def test_pooled_images_are_drawn_from_what_is_scored():
    pool = surjections.MaxPool((2, 2, 1))
    pool.log_scale.assign([0.3])
    x, _ = pool.decode(tf.zeros((4000, 1, 1, 1)), None, context(4000))
    x = x.numpy().reshape(-1, 4)
    np.testing.assert_allclose(np.bincount(x.argmax(axis=1)) / 4000, 0.25, atol=0.03)
    distances = -x[x < 0]
    assert len(distances) == 3 * 4000 and stats.kstest(distances, stats.halfnorm(scale=np.exp(0.3)).cdf).pvalue > 0.001
    pool.log_scale.assign([2.0])
    np.testing.assert_allclose(pool.adapt(tf.constant(x.reshape(-1, 2, 2, 1))), 0.0)
    assert float(pool.log_scale[0]) == pytest.approx(0.3, abs=0.03)


def test_categories_bound_their_probabilities_from_below():
    """Under a standard normal z each of k numbers is the largest with probability 1 / k."""
    argmax = surjections.Argmax((1,), 3)
    argmax.loc.assign(0.4 * np.eye(3))
    flow = Flow(argmax, StandardNormal((1, 3)))
    x = np.array([[0], [1], [2]], "uint8")
    bounds = np.stack([flow.log_prob(x, seed=seed) for seed in range(30)])
    assert bounds.mean() < np.log(1 / 3) - 0.02
    found = np.exp([flow.log_prob(x, seed=seed, samples=2000) for seed in range(20)])
    np.testing.assert_allclose(found.mean(axis=0), 1 / 3, atol=4 * found.std() / np.sqrt(20))
    assert found.std() < 0.1
    z, _ = flow.encode(x, seed=1)
    np.testing.assert_array_equal(flow.decode(z)[0], x)
    shares = np.bincount(flow.sample(6000, seed=0).numpy().ravel(), minlength=3) / 6000
    np.testing.assert_allclose(shares, 1 / 3, atol=0.03)


def test_surjections_say_what_they_take():
    with pytest.raises(ValueError, match=r"AbsoluteValue: `network` must take \(2,\) per example and give \(1,\)"):
        surjections.AbsoluteValue((2,), Constant(3, [0.0]))
    with pytest.raises(ValueError, match="`column` must be"):
        surjections.AbsoluteValue((2,), Constant(2, [0.0]), 2)
    with pytest.raises(ValueError, match=r"Sort takes `event_shape` \(features,\), got \(2, 2\)"):
        surjections.Sort((2, 2))
    with pytest.raises(ValueError, match=r"`event_shape` must be \(height, width, channels\) with even sides"):
        surjections.MaxPool((3, 4, 1))
    with pytest.raises(ValueError, match="`values` must be"):
        surjections.Argmax((2,), 1)


def test_on_a_uniform_base_densities_integrate_to_one_and_are_zero_outside():
    """By the midpoint rule on a square twice as wide as the box."""
    middles = [(np.arange(4 * cells) + 0.5) / cells - 2 for cells in (50, 60)]  # no ties, which cells would be cut by
    grid = np.stack(np.meshgrid(*middles), axis=-1).reshape(-1, 2).astype("float32")
    fold = surjections.AbsoluteValue((2,), Constant(2, [0.8]), 1, point=True)
    for surjection in (fold, surjections.Sort((2,), Constant(2, [0.5, -1.0]))):
        log_p = Flow(surjection, Uniform((2,), -1.0, 1.0)).score(grid, batch_size=4096).astype(float)
        assert np.exp(log_p).sum() / (50 * 60) == pytest.approx(1, abs=1e-4)
        assert np.isneginf(log_p[np.abs(grid).max(axis=1) > 1.01]).all()
    with pytest.raises(TypeError, match=r"Sort: `network` must be a conditioner, such as MLP\(2, 2\), got str"):
        surjections.Sort((2,), "x")
    with pytest.raises(ValueError, match=r"Augment takes `event_shape` \(features,\), got \(4, 4, 1\)"):
        surjections.Augment((4, 4, 1), 1)
