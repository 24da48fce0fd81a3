import numpy as np
import pytest

from flowzoo import bijectors as b
from flowzoo.conditioners import MLP, GlowConvNet

SPLITS = {
    "channels": (b.ChannelSplit((4, 4, 3)), (4, 4, 3)),
    "channels-swap": (b.ChannelSplit((4, 4, 3), swap=True), (4, 4, 3)),
    "checkerboard": (b.CheckerboardSplit((4, 6, 3)), (4, 6, 3)),
    "checkerboard-swap": (b.CheckerboardSplit((4, 6, 3), swap=True), (4, 6, 3)),
    "mask": (b.FeatureMask([0, 1, 1, 0, 1]), (5,)),
}


@pytest.mark.parametrize("name", SPLITS)
def test_merge_undoes_split(name):
    split, shape = SPLITS[name]
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    kept, free = split.split(x)
    assert split.event_shape == shape
    assert kept.shape == (2, *split.kept_shape) and free.shape == (2, *split.free_shape)
    np.testing.assert_array_equal(split.merge(kept, free), x)


def test_checkerboard_keeps_one_colour():
    rows, columns = np.indices((4, 4))
    board = ((rows + columns) % 2).astype("float32")[None, :, :, None]
    kept, free = b.CheckerboardSplit((4, 4, 1)).split(board)
    assert (kept.numpy() == 0).all() and (free.numpy() == 1).all()


def test_a_coupling_leaves_the_kept_part_alone():
    split = b.FeatureMask([1, 0, 1])
    coupling = b.AffineCoupling((3,), split, MLP(2, 2))
    x = np.array([[1.0, 2.0, 3.0]], "float32")
    np.testing.assert_array_equal(coupling.encode(x)[0], x)  # a new coupling is the identity
    coupling.conditioner.head.bias.assign([1.0, 0.5])
    z, log_det = coupling.encode(x)
    scale = 2.0 * np.tanh(0.5 / 2.0)
    np.testing.assert_allclose(z, [[1.0, (2.0 + 1.0) * np.exp(scale), 3.0]], rtol=1e-6)
    np.testing.assert_allclose(log_det, [scale], rtol=1e-6)


def test_linear_starts_as_a_rotation():
    layer = b.InvertibleLinear((4,), seed=1)
    weight = layer.encode(np.eye(4, dtype="float32"))[0].numpy()
    np.testing.assert_allclose(weight @ weight.T, np.eye(4), atol=1e-5)
    np.testing.assert_allclose(layer.encode(np.eye(4, dtype="float32"))[1], 0.0, atol=1e-5)
    assert len(layer.trainable_weights) == 3 and len(layer.non_trainable_weights) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b.ChannelSplit((4, 4, 1)), "at least 2 channels"),
        (lambda: b.CheckerboardSplit((4, 3, 1)), "even height and width"),
        (lambda: b.FeatureMask([1, 1]), "at least one 0 and one 1"),
        (lambda: b.FeatureMask([]), r"at least one 0 and one 1 and nothing else, got \[\]"),
        (lambda: b.FeatureMask([0, 2]), "at least one 0 and one 1"),
        (lambda: b.Permutation((3,), [0, 1, 1]), r"permutation of 0 ... 2, got \[0, 1, 1\]"),
        (lambda: b.Squeeze((3, 4, 1)), r"divisible by it, got event_shape \(3, 4, 1\)"),
        (lambda: b.Squeeze((4, 4, 1), 1), "`factor` must be at least 2, got 1"),
        (lambda: b.Squeeze((4, 4, 1), 0), "`factor` must be at least 2, got 0"),
        (lambda: b.Logit((3,), alpha=0.5), "`alpha` must be a finite number >= 0 and < 0.5, got 0.5"),
        (lambda: b.Logit((3,), alpha="x"), "`alpha` must be a finite number >= 0 and < 0.5, got 'x'"),
        (lambda: b.InvertibleLinear(()), r"`event_shape` must be a tuple of at least 1 whole numbers >= 1, got \(\)"),
        (lambda: b.CayleyOrthogonal(()), r"`event_shape` must be .* at least 1 .*, got \(\)"),
        (lambda: b.Householder(()), r"`event_shape` must be .* at least 1 .*, got \(\)"),
        (lambda: b.CayleyOrthogonal((0,)), r"`event_shape` must be .*, got \(0,\)"),
        (lambda: b.Identity(3), "`event_shape` must be a tuple of whole numbers >= 1, got 3"),
        (lambda: b.Scale((3,), scale=0.0), "must be finite and not 0"),
        (
            lambda: b.AffineCoupling((3,), b.FeatureMask([1, 0, 1]), MLP(2, 3)),
            r"must give \(2,\) per example, got",
        ),
        (
            lambda: b.AffineCoupling((3,), b.FeatureMask([1, 0]), MLP(1, 2)),
            r"the split must be of event_shape \(3,\), got \(2,\)",
        ),
        (
            lambda: b.AdditiveCoupling((8, 8, 1), b.CheckerboardSplit((4, 4, 1)), GlowConvNet((2, 2, 2), 2, 4)),
            r"the split must be of event_shape \(8, 8, 1\), got \(4, 4, 1\)",
        ),
        (
            lambda: b.AffineCoupling((3,), b.FeatureMask([1, 0, 1]), MLP(3, 2)),
            r"the conditioner must take \(2,\) per example, the kept part of its split, got one for \(3,\)",
        ),
    ],
)
def test_errors_say_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
