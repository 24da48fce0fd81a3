import numpy as np
import pytest
import tensorflow as tf

from flowzoo.bijectors import Affine, AutoregressiveRows, Fold
from flowzoo.conditioners import MLP, RowWaveNet
from flowzoo.conditioners.wavenet import _dilated, _stretched
from flowzoo.testing import randomized

SHAPE = (6, 9, 1)


@pytest.fixture(scope="module")
def network():
    return randomized(RowWaveNet(SHAPE, 2, 5, 4, 3, cycle=3, seed=1, dtype="float64"))


@pytest.fixture(scope="module")
def data():
    numbers = np.random.default_rng(0)
    return numbers.normal(size=(2, *SHAPE)), numbers.normal(size=(2, 3, 3))


def test_neighbours_lie_in_a_column():
    z, log_det = Fold((6,), 2).encode(np.arange(6, dtype="float32")[None])
    assert z[0, ..., 0].numpy().tolist() == [[0, 2, 4], [1, 3, 5]] and log_det.numpy().tolist() == [0]
    with pytest.raises(ValueError, match="`height` must divide the 6 samples of an event, got 4"):
        Fold((6,), 4)


def test_outputs_for_a_row_see_all_rows_above_and_both_sides_of_columns(network, data):
    x, condition = map(tf.constant, data)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(network(x, condition)[:, 4, 4])
    seen = (tape.gradient(value, x).numpy() != 0).any(axis=0)[..., 0]
    assert not seen[4:].any()  # neither the row itself nor those below
    assert seen[:4].any(axis=1).all() and seen[3, [0, 8]].all()  # 1 + 2 + 4 + 1 columns to each side


def test_row_by_row_is_one_pass(network, data):
    x, condition = map(tf.constant, data)
    given, state = network.start(2, condition)
    above, rows = tf.zeros_like(x[:, :1]), []
    for i in range(6):
        row, state = network.step(above, given, state)
        rows.append(row)
        above = x[:, i : i + 1]
    np.testing.assert_allclose(tf.concat(rows, axis=1), network(x, condition), rtol=1e-12, atol=1e-12)


def test_weights_do_not_depend_on_the_size_of_the_event(network):
    other = RowWaveNet((3, 40, 1), 2, 5, 4, 3, cycle=3)
    assert [w.shape for w in other.weights] == [w.shape for w in network.weights]


@pytest.mark.parametrize("dilation", [1, 2, 4, 7, 16])
def test_dilated_convolutions_are_tensorflows(dilation):
    numbers = np.random.default_rng(1)
    rows, kernel = numbers.normal(size=(2, 5, 7, 3)), numbers.normal(size=(3, 3, 3, 4))
    padded = np.pad(rows, [(0, 0), (0, 0), (dilation, dilation), (0, 0)])
    expected = tf.nn.conv2d(padded, kernel, 1, "VALID", dilations=(1, dilation))
    np.testing.assert_allclose(_dilated(tf.constant(rows), tf.constant(kernel), dilation), expected, atol=1e-12)


def test_frames_are_stretched_linearly_between_their_middles():
    frames = tf.constant([[[0.0], [8.0]]], tf.float64)
    expected = [0, 0, 1, 3, 5, 7, 8, 8]
    np.testing.assert_allclose(_stretched(frames, 8)[0, :, 0], expected)


def test_a_condition_for_all_is_one_for_each_frame(network, data):
    x, condition = data
    one = condition[:, 0]
    everywhere = np.tile(one[:, None], (1, 3, 1))
    np.testing.assert_allclose(network(x, tf.constant(one)), network(x, tf.constant(everywhere)), rtol=1e-10)


def test_errors():
    with pytest.raises(TypeError, match="must be a RowWaveNet or similar, got MLP"):
        AutoregressiveRows(MLP(2, 4), Affine())
    with pytest.raises(ValueError, match=r"must give \(6, 9, 2\) per example, got \(6, 9, 3\)"):
        AutoregressiveRows(RowWaveNet(SHAPE, 3, 4, 1), Affine())
    with pytest.raises(ValueError, match=r"`event_shape` must be \(height, width, 1\), got \(6, 9\)"):
        RowWaveNet((6, 9), 2)
    with pytest.raises(ValueError, match="`dtype` of a RowWaveNet must be float32 or float64, got 'mixed_bfloat16'"):
        RowWaveNet(SHAPE, 2, dtype="mixed_bfloat16")


def test_a_condition_that_is_not_a_number_spoils_its_row_in_both_directions(network, data):
    x, condition = data
    layer, bad = AutoregressiveRows(network, Affine(), dtype="float64"), condition.copy()
    bad[1, 2, 0] = np.nan
    for direction in (layer.encode, layer.decode):
        found = tf.function(direction)(tf.constant(x), tf.constant(bad))[0].numpy()
        np.testing.assert_array_equal(found[0], direction(x, tf.constant(condition))[0][0])
        assert np.isnan(found[1]).all()
