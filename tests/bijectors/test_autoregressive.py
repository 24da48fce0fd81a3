"""Feature by feature gives what whole passes give."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo import bijectors as b
from flowzoo.conditioners import MADE, MLP
from tests.cases import randomized

FEATURES = 19  # turns of the loop, and some features left over
SHUFFLED = np.random.default_rng(3).permutation(FEATURES)


def layer(scalar, condition_features=0, features=FEATURES, **options):
    options = {"hidden": [24, 16], "seed": 1, **options}
    made = MADE(features, scalar.outputs_per_entry, condition_features=condition_features, **options)
    return randomized(b.Autoregressive(made, scalar))


def by_whole_passes(layer, z, condition):
    """The definition: D passes of the whole network, each of which settles one feature more."""
    x = tf.zeros_like(z)
    for feature in layer.conditioner.order:
        found = layer.scalar.decode(z, layer.conditioner(x, condition))[0]
        x = tf.where(np.arange(z.shape[1]) == feature, found, x)
    return x


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize(
    ("scalar", "features", "options", "tolerance"),
    [
        (b.Affine(), 0, {}, 1e-5),
        (b.Affine(), 4, {"order": SHUFFLED}, 1e-5),
        (b.Affine(), 0, {"order": SHUFFLED, "residual": True, "hidden": [16] * 5}, 1e-5),
        (b.Affine(), 4, {"hidden": [5]}, 1e-5),  # fewer units than features
        (b.RationalQuadratic(8), 4, {"order": SHUFFLED[::-1], "residual": True, "hidden": [16] * 3}, 1e-4),
    ],
)
def test_decode_by_degree_is_that_of_whole_passes(scalar, features, options, tolerance, xla):
    transform, numbers = layer(scalar, features, **options), np.random.default_rng(0)
    z = tf.constant(numbers.standard_normal((9, FEATURES)), tf.float32)
    condition = tf.constant(numbers.standard_normal((9, features)), tf.float32) if features else None
    decode = tf.function(lambda z: transform.decode(z, condition)[0], jit_compile=xla)
    np.testing.assert_allclose(decode(z), by_whole_passes(transform, z, condition), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("features", [2, FEATURES])  # fewer than the loop takes at once
def test_gradients_go_through_decode(features, xla):
    transform = layer(b.Affine(), 3, features=features, residual=True, hidden=[16] * 3)
    numbers = np.random.default_rng(0)
    z, condition = (tf.constant(numbers.standard_normal((5, n)), tf.float32) for n in (features, 3))

    def gradients(decode):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(decode(transform, z, condition)))
        return tape.gradient(loss, transform.trainable_weights)

    expected = gradients(by_whole_passes)
    found = tf.function(lambda: gradients(lambda *args: transform.decode(*args[1:])[0]), jit_compile=xla)()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3 * float(tf.reduce_max(tf.abs(other))))


@pytest.mark.parametrize("residual", [False, True])
def test_outputs_see_the_features_before_theirs_and_no_others(residual):
    made = randomized(MADE(5, 2, [12, 12, 12], order=[3, 0, 4, 1, 2], residual=residual, activation="tanh"))
    x = tf.constant(np.random.default_rng(0).standard_normal((1, 5)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = made(x)
    seen = np.abs(tape.jacobian(out, x)[0, :, 0].numpy().reshape(2, 5, 5)) > 0
    degree = np.argsort(made.order)
    np.testing.assert_array_equal(seen, np.broadcast_to(degree[None] < degree[:, None], (2, 5, 5)))


def test_every_feature_is_reached_by_a_condition():
    made = randomized(MADE(4, 1, [8], 2))
    condition = tf.constant([[0.5, -1.0]])
    with tf.GradientTape() as tape:
        tape.watch(condition)
        out = made(tf.zeros([1, 4]), condition)
    assert (np.abs(tape.jacobian(out, condition)[0, :, 0]) > 0).all()


def test_a_bad_condition_is_not_swallowed():
    transform = layer(b.Affine(), 2)
    condition = tf.constant([[0.0, 1.0], [np.nan, 0.0], [1.0, 1.0]])
    x = tf.function(transform.decode)(tf.zeros([3, FEATURES]), condition)[0].numpy()
    assert np.isnan(x[1]).all() and np.isfinite(x[[0, 2]]).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MADE(3, 1, []), r"`hidden` must name at least one layer.*got \[\]"),
        (lambda: MADE(3, 1, [4, 4], residual=True), r"an odd number of equal ones.*got \[4, 4\]"),
        (lambda: MADE(3, 1, [4, 5, 4], residual=True), r"an odd number of equal ones.*got \[4, 5, 4\]"),
        (lambda: MADE(3, 1, order=[0, 1, 1]), r"`order` must be a permutation of 0 \.\.\. 2, got \[0, 1, 1\]"),
        (lambda: MADE(3, 1, dtype="mixed_bfloat16"), "must be float32 or float64, got 'mixed_bfloat16'"),
        (lambda: b.Autoregressive(MADE(3, 1), b.Affine()), r"must give \(6,\) per example, got \(3,\)"),
        (lambda: b.Autoregressive(MLP(3, 6), b.Affine()), "`conditioner` must be a MADE or similar, got MLP"),
    ],
)
def test_wrong_parts_are_named(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
