"""Methods compiled for arguments of changing shapes, and functions compiled by XLA."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

import flowzoo
from flowzoo.core.graphs import Graph, by_xla, filled_up, is_for_xla


class Method:
    def __init__(self):
        self.traced = []

    def total(self, x, how=1.0):
        self.traced.append(tuple(x.shape))
        return tf.reduce_sum(x, axis=list(range(x.shape.rank))) + how

    total_graph = Graph(total)


def test_sizes_are_relaxed_and_ranks_are_not():
    one, other = Method(), Method()
    for shape in [(2,), (3,), (4,), (2, 3), (2, 4), (5, 1), (6,)]:
        assert one.total_graph(tf.ones(shape), 1.0) == np.prod(shape) + 1
    assert one.traced == [(2,), (None,), (2, 3), (2, None), (None, None)] and not other.traced


def test_the_last_arguments_may_be_left_out():
    one = Method()
    assert [one.total_graph(tf.ones(2), *how) for how in ((), (2.0,), (), (1.0,))] == [3, 4, 3, 3]


def test_a_condition_may_be_a_vector_after_one_with_places():
    """It raised: "unknown rank"."""
    flow = flowzoo.create("glow", event_shape=(4, 4, 1), levels=1, depth=1, hidden=4, condition_features=2)
    x = np.zeros((3, 4, 4, 1), "uint8")
    for condition in (np.ones((3, 4, 4, 2), "float32"), np.ones((3, 2), "float32"), np.ones((2, 2), "float32")):
        assert np.isfinite(flow.log_prob(x[: len(condition)], condition)).all()
        assert flow.sample(len(condition), condition, seed=0).shape[0] == len(condition)
        z, _ = flow.encode(x[: len(condition)], condition)
        flow.decode(z, condition)


def test_a_graph_that_is_known_gives_gradients_and_does_not_keep_its_instance():
    one = Method()
    for x in (tf.ones(3), 2 * tf.ones(3)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = one.total_graph(x)
        np.testing.assert_array_equal(tape.gradient(y, x), [1.0, 1.0, 1.0])
    assert one.traced == [(3,)]
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None


def test_functions_can_be_run_eagerly_after_a_graph():
    one = Method()
    one.total_graph(tf.ones(3))
    tf.config.run_functions_eagerly(True)
    try:
        one.total_graph(tf.ones(3))
    finally:
        tf.config.run_functions_eagerly(False)
    assert one.traced == [(3,), (3,)]


def test_a_function_knows_that_it_is_traced_for_xla():
    known = []

    def double(x):
        known.append(is_for_xla())
        return 2.0 * x

    np.testing.assert_array_equal(by_xla(double)(tf.ones(3)), np.full(3, 2.0))
    double(tf.ones(3))

    def fails(x):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        by_xla(fails)(tf.ones(3))
    assert known == [True, False] and not is_for_xla()


def test_rows_are_filled_up_with_the_first():
    x, absent, named = filled_up((tf.constant([[1, 2], [3, 4]]), None, {"a": tf.constant([5, 6])}), tf.constant(2))
    np.testing.assert_array_equal(x, [[1, 2], [3, 4], [1, 2], [1, 2]])
    np.testing.assert_array_equal(named["a"], [5, 6, 5, 5])
    assert absent is None


def test_dicts_are_told_apart_by_their_keys_and_take_any_order():
    class Sums:
        def total(self, parts, how=None):
            return parts["a"] - parts["b"]

        total_graph = Graph(total)

    one = Sums()
    a, b = tf.ones([2, 3]), tf.ones([3])
    assert float(tf.reduce_sum(one.total_graph({"a": a, "b": b}))) == 0.0
    np.testing.assert_array_equal(one.total_graph({"b": b, "a": 2.0 * a}), np.ones((2, 3)))
    np.testing.assert_array_equal(one.total_graph({"a": b, "b": 2.0 * a}), -np.ones((2, 3)))
