"""A graph is traced once for each kind of arguments, and fits every number of rows, none included."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.models.any_rows import for_any_rows


class Scaled:
    def __init__(self, scale):
        self.scale, self.traces = scale, 0

    @for_any_rows
    def run(self, x, condition, times=1):
        self.traces += 1
        given = [] if condition is None else tf.nest.flatten(condition)
        return sum((tf.cast(part, x.dtype) for part in given), start=tf.cast(self.scale * times, x.dtype) * x)


def test_traces_once_for_all_sizes():
    one, other = Scaled(2.0), Scaled(3.0)
    for rows in (5, 1, 0, 7):
        x = tf.ones([rows, 2])
        np.testing.assert_array_equal(one.run(x, None), 2.0 * x)
    assert one.traces == 1
    np.testing.assert_array_equal(other.run(x, None), 3.0 * x)  # each has its own
    assert (one.traces, other.traces) == (1, 1)


@pytest.mark.parametrize(
    "args",
    [
        (tf.ones([5, 3]), None),
        (tf.ones([5, 2], tf.float64), None),
        (tf.ones([5, 2]), tf.ones([5, 2])),
        (tf.ones([5, 2]), {"a": tf.ones([5, 2]), "b": tf.ones([])}),
        (tf.ones([5, 2]), None, 2),
    ],
)
def test_traces_again_for_another_kind(args):
    scaled = Scaled(2.0)
    scaled.run(tf.ones([5, 2]), None)
    found, again = (scaled.run(*args) for _ in range(2))
    assert scaled.traces == 2
    np.testing.assert_array_equal(found, again)


def test_a_graph_around_it_keeps_its_sizes():
    scaled = Scaled(2.0)
    scaled.run(tf.ones([3, 2]), None)
    graph = tf.function(lambda: scaled.run(tf.ones([4, 2]), None)).get_concrete_function()
    assert graph.structured_outputs.shape == [4, 2]


def test_gradients_go_through():
    x = tf.Variable(tf.ones([3, 2]))
    with tf.GradientTape() as tape:
        found = Scaled(2.0).run(x.value(), None)
    np.testing.assert_array_equal(tape.gradient(found, x), np.full((3, 2), 2.0))
