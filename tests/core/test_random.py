import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from flowzoo.core import random


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # the known answers of Random123, Salmon et al. 2011
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers(key, counter, expected):
    words = [tf.constant([word], tf.uint32) for word in (*key, *counter)]
    for function in (random._threefry, tf.function(random._threefry, jit_compile=True)):
        assert [int(word[0]) for word in function(*words)] == list(expected)


def test_a_graph_that_draws_is_small_and_knows_its_shapes():
    for signature, rows in ((tf.TensorSpec([None, 2], tf.int32), None), (tf.TensorSpec([3, 2], tf.int32), 3)):
        drawn = tf.function(lambda seeds: random.normal(random.fold_in(seeds, 1), (5, 2)), autograph=False)
        graph = drawn.get_concrete_function(signature).graph
        assert len(graph.get_operations()) < 70  # the rounds, a hundred operations each time, are a function
        assert graph.structured_outputs.shape.as_list() == [rows, 5, 2]


def test_uniform_is_uniform():
    u = random.uniform(random.row_seeds(1, 500), (400,)).numpy()
    assert u.min() >= 0.0 and u.max() < 1.0 and u.dtype == np.float32
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3
    bits = np.unpackbits((u * 2**24).astype(">u4").view(np.uint8).reshape(-1, 4), axis=1)[:, 8:]
    np.testing.assert_allclose(bits.mean(axis=0), 0.5, atol=5 * 0.5 / np.sqrt(u.size))  # every bit is fair
    for a, b in ((u[:, 1:], u[:, :-1]), (u[1:], u[:-1]), (u[:, 200:], u[:, :200])):  # neighbours in and across rows
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / np.sqrt(a.size)
    pairs = np.histogram2d(u[:, ::2].ravel(), u[:, 1::2].ravel(), bins=16)[0]
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-3


def test_one_number_of_a_seed_is_uniform():
    u = random.scalars(random.row_seeds(4, 50_000)).numpy()
    assert u.shape == (50_000,) and u.min() >= 0.0 and u.max() < 1.0 and u.dtype == np.float32
    assert stats.kstest(u, "uniform").pvalue > 1e-3 and abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 5 / np.sqrt(u.size)


def test_normal_is_normal():
    z = random.normal(random.row_seeds(2, 500), (401,)).numpy()
    assert np.isfinite(z).all() and z.dtype == np.float32
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    assert abs(stats.kurtosis(z.ravel())) < 5 * np.sqrt(24 / z.size)


def test_normal_is_finite_at_the_ends(monkeypatch):
    words = tf.constant([[0, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF]], tf.uint32)
    monkeypatch.setattr(random, "_bits", lambda seeds, shape: words)
    z = random.normal(None, (4,)).numpy()[0]
    assert -6 < z[0] < -5 < 5 < z[1] < 6 and 0 < z[2] < 1e-6 and -1e-6 < z[3] < 0
    np.testing.assert_array_equal(random.uniform(None, (4,))[0], [0.0, 1 - 2**-24, 0.5, 0.5 - 2**-24])


def test_a_row_depends_on_its_own_seed_only():
    seeds = random.row_seeds(3, 7)
    np.testing.assert_array_equal(seeds, random.row_seeds(3, 100)[:7])
    np.testing.assert_array_equal(random.seeds_at(3, np.array([5, 2])), tf.gather(seeds, [5, 2]))
    for draw in (random.uniform, random.normal):
        rows = draw(seeds, (2, 3)).numpy()
        assert rows.shape == (7, 2, 3)
        np.testing.assert_array_equal(draw(seeds[4:5], (2, 3)), rows[4:5])
        np.testing.assert_array_equal(draw(tf.reverse(seeds, [0]), (2, 3)), rows[::-1])
        compiled = tf.function(draw, jit_compile=True, autograph=False)(seeds, (2, 3))
        np.testing.assert_allclose(compiled, rows, rtol=1e-5, atol=1e-6)
    assert random.uniform(seeds, (5,)).shape == (7, 5) and random.uniform(seeds, ()).shape == (7,)


def test_no_number_depends_on_how_many_are_drawn():
    """On processors that take 16 numbers at once, the last ones used to round differently."""
    for rows in (1, 2, 5, 17, 40):
        seeds = random.row_seeds(5, rows)
        for size in (1, 3, 6, 50):
            drawn = random.normal(seeds, (size,)).numpy()
            assert drawn.shape == (rows, size)
            np.testing.assert_array_equal(random.normal(seeds[-1:], (size,)), drawn[-1:])


def test_streams_differ():
    seeds = [random.row_seeds(seed, 50) for seed in (0, 1, 2**32, 2**64 - 1)]
    seeds += [random.fold_in(seeds[0], data) for data in (0, 1, 2**31, -5)]
    assert len({tuple(row) for part in seeds for row in part.numpy().tolist()}) == 50 * 8
    np.testing.assert_array_equal(random.fold_in(seeds[0], 3), random.fold_in(seeds[0], tf.constant(3)))


def test_a_seed_that_would_be_the_same_as_another_is_refused():
    for seed in (2**64, -1, 1.5):
        with pytest.raises(ValueError, match=f"`seed` must be a whole number from 0 to .*15, got {seed}"):
            random.row_seeds(seed, 3)


def test_hash_rows_sees_every_entry_and_no_neighbour():
    x = np.random.default_rng(0).integers(0, 256, (64, 5, 4, 3), dtype=np.uint8)
    hashes = random.hash_rows(x).numpy()
    assert hashes.shape == (64, 2) and hashes.dtype == np.int32
    np.testing.assert_array_equal(random.hash_rows(x[7:9]), hashes[7:9])
    changed = np.repeat(x[:1], 60, axis=0)
    changed.reshape(60, 60)[np.arange(60), np.arange(60)] ^= 1  # one bit of one entry in each row
    rows = random.hash_rows(changed).numpy()
    assert len({tuple(row) for row in [*rows.tolist(), hashes[0].tolist()]}) == 61
    flipped = np.unpackbits((rows ^ hashes[:1]).view(np.uint8), axis=1).mean()
    assert 0.47 < flipped < 0.53  # avalanche
    np.testing.assert_array_equal(random.hash_rows(x.astype("int32")), hashes)
    assert (random.hash_rows(x.astype("float32")).numpy() != hashes).any()
    permuted = x.reshape(64, -1)[:, ::-1].reshape(x.shape)
    assert (random.hash_rows(permuted).numpy() != hashes).any(axis=1).all()
