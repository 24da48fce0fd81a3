"""Steps of one kind share a traced function in training and sampling: fewer traces, the same results and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from flowzoo import bijectors as b
from flowzoo import flows
from flowzoo.bijectors import shared
from flowzoo.conditioners import MADE, MLP, GlowConvNet
from flowzoo.core import random
from flowzoo.core.context import Context
from tests import cases


def steps(depth, condition_features=0, features=4, bound=lambda i: 2.0):
    """ActNorm, linear map and coupling, `depth` times, with other weights and seeds each time."""
    chain = []
    for i in range(depth):
        split = b.ChannelSplit((features,))
        network = MLP(features // 2, features, [6], condition_features, seed=i)
        chain += [b.ActNorm((features,)), b.InvertibleLinear((features,), seed=i)]
        chain.append(b.AffineCoupling((features,), split, network, bound=bound(i)))
    return cases.randomized(b.Chain(chain))


def loss_and_gradients(chain, x, condition, context, **how):
    """In a graph: a loss, and its gradients by x, the condition and the weights."""

    @tf.function(**how)
    def both(x, condition):
        with tf.GradientTape() as tape:
            tape.watch([x] if condition is None else [x, condition])
            z, log_det = chain.encode(x, condition, context)
            loss = tf.reduce_sum(tf.sin(z)) + tf.reduce_sum(log_det)
        inputs = [x] if condition is None else [x, condition]
        return loss, tape.gradient(loss, [*inputs, *chain.trainable_weights])

    found = both(x, condition)
    return both.get_concrete_function(x, condition).graph, found


def calls(graph):
    return sum("PartitionedCall" in operation.type for operation in graph.get_operations())


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}])
def test_shared_steps_have_the_gradients_of_others(how):
    chain, numbers = steps(3, condition_features=2), np.random.default_rng(0)
    x, condition = (tf.constant(numbers.normal(size=(5, size)), tf.float32) for size in (4, 2))
    plain_graph, plain = loss_and_gradients(chain, x, condition, Context())
    graph, found = loss_and_gradients(chain, x, condition, Context(shares=True), **how)
    assert calls(plain_graph) == 0 and calls(graph) == 6  # of three steps, and back
    for actual, expected in zip(tf.nest.flatten(found), tf.nest.flatten(plain), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * max(1.0, np.abs(expected).max()))


def test_each_kind_is_traced_once(monkeypatch):
    traced, call = [], MLP.call
    monkeypatch.setattr(MLP, "call", lambda self, *inputs: traced.append(self) or call(self, *inputs))
    chain, x = steps(6, bound=lambda i: 2.0 + i % 2), tf.zeros([3, 4])
    loss_and_gradients(chain, x, None, Context(shares=True))
    assert len(traced) == 2  # six steps of two kinds


@pytest.mark.parametrize("log_det", [True, False])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_shared_steps_decode_as_others(log_det, jit_compile):
    chain, numbers = steps(3, condition_features=2), np.random.default_rng(0)
    z, condition = (tf.constant(numbers.normal(size=(5, size)), tf.float32) for size in (4, 2))
    decode = tf.function(
        lambda shares: chain.decode(z, condition, Context(shares=shares, log_det=log_det)), jit_compile=jit_compile
    )
    (x, found), (expected, log_dets) = decode(True), decode(False)
    assert calls(decode.get_concrete_function(True).graph) == 3
    np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found, log_dets if log_det else np.zeros(5), rtol=1e-5, atol=1e-5)


def test_sampling_traces_each_kind_once_and_an_export_shares_nothing(monkeypatch):
    traced, call = [], MLP.call
    flow = flows.Flow(steps(6))
    monkeypatch.setattr(MLP, "call", lambda self, *inputs: traced.append(self) or call(self, *inputs))
    flow.sample(2, seed=0)
    assert len(traced) == 1
    tf.function(flow.raw.sample).get_concrete_function(tf.zeros([2, 2], tf.int32), tf.ones(2), None)
    assert len(traced) == 1 + 6


def test_compiled_steps_are_called_with_powers_of_two():
    sizes = []

    def note(rows):
        sizes.append(len(rows))
        return rows

    def compiled(values, rows, condition):
        return tf.ensure_shape(tf.numpy_function(note, [rows], tf.float32), rows.shape) * values[0] + condition

    called = shared._in_sizes(compiled)
    dynamic = tf.function(called, input_signature=[[tf.TensorSpec([])], *[tf.TensorSpec([None, 2])] * 2])
    numbers = np.random.default_rng(0)
    for count in range(1, 18):
        rows, condition = (tf.constant(numbers.normal(size=(count, 2)), tf.float32) for _ in range(2))
        expected = rows * 3.0 + condition
        np.testing.assert_array_equal(called([tf.constant(3.0)], rows, condition), expected)
        np.testing.assert_array_equal(dynamic([tf.constant(3.0)], rows, condition), expected)
    assert sizes[::2] == sizes[1::2] and set(sizes) == {1, 2, 4, 8, 16, 32}


@pytest.mark.parametrize("name", ["maf", "nsf-coupling"])
def test_compiled_samples_are_those_of_a_graph(name):
    flow = cases.randomized(flows.create(name, event_shape=(5,), depth=3, hidden=6, condition_features=2))
    plain = tf.function(flow.raw.sample)
    for count in (1, 3, 8, 0):
        seeds, temperature = random.row_seeds(4, count), tf.ones(count)
        condition = np.random.default_rng(1).normal(size=(count, 2)).astype("float32")
        expected = plain(seeds, temperature, flow.intake.conditions(condition, count))
        np.testing.assert_allclose(flow.sample(count, condition, seed=4), expected, rtol=1e-4, atol=1e-4)
    graph = plain.get_concrete_function(seeds, temperature, condition).graph.as_graph_def()
    assert not any(each.attr["_XlaMustCompile"].b for each in graph.library.function)  # as such is exported


@pytest.mark.parametrize("condition_features", [0, 2])
def test_samples_of_compiled_steps_have_gradients(condition_features):
    options = {"depth": 2, "hidden": 4, "condition_features": condition_features}
    flow = cases.randomized(flows.create("maf", event_shape=(3,), **options))
    condition = tf.ones([3, 2]) if condition_features else None

    def gradients(sample):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(sample()))
        return tape.gradient(loss, flow.trainable_variables)

    found = gradients(lambda: flow.sample(3, condition, seed=2))
    given = None if condition is None else flow.intake.conditions(condition, 3)
    expected = gradients(lambda: flow.raw.sample(random.row_seeds(2, 3), tf.ones(3), given))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_a_step_behind_another_dtype_is_of_the_kind_of_the_others():
    flow = flows.create("nsf-coupling", event_shape=(4,), depth=3, hidden=4)
    assert flow.transform.transforms[0].compute_dtype == "float64"
    (_, first), *steps = shared.parts(list(enumerate(flow.transform.transforms)))
    assert first is flow.transform.transforms[0]
    assert len(steps) == 3 and len({id(step.traced) for _, step in steps}) == 1


def test_eagerly_nothing_is_traced():
    chain, x = steps(2), tf.ones([3, 4])
    for found, expected in zip(chain.encode(x, None, Context(shares=True)), chain.encode(x), strict=True):
        np.testing.assert_array_equal(found, expected)


class OfAUser(b.Scale):
    """A class of which nothing is known."""

    def __init__(self):
        super().__init__((4,), 2.0)


def net(**options):
    return MLP(2, 4, [6], **options)


def coupling(network=None, kept=(0, 1, 0, 1), **options):
    return b.AffineCoupling((4,), b.FeatureMask(kept), network or net(), **options)


ALIKE = {
    "seeds": lambda: (net(seed=1), net(seed=2)),
    "convolutions": lambda: (GlowConvNet((2, 2, 1), 2, 4, seed=1), GlowConvNet((2, 2, 1), 2, 4, seed=2)),
    "linear maps": lambda: (b.InvertibleLinear((4,), seed=1), b.InvertibleLinear((4,), seed=2)),
    "masked networks": lambda: (MADE(3, 2, [4], seed=1), MADE(3, 2, [4], seed=2)),
    "couplings": lambda: (coupling(net(seed=1)), coupling(net(seed=2))),
    "inverted": lambda: (b.Invert(coupling(net(seed=1))), b.Invert(coupling(net(seed=2)))),
    "numbers of NumPy": lambda: (coupling(bound=np.float64(2)), coupling(bound=np.float64(2))),
}
OTHERS = {
    "widths": lambda: (net(), MLP(2, 4, [7])),
    "activations": lambda: (net(), net(activation="tanh")),
    "lambdas": lambda: (net(activation=lambda h: h), net(activation=lambda h: 2 * h)),
    "masks": lambda: (coupling(), coupling(kept=(1, 0, 1, 0))),
    "bounds": lambda: (coupling(), coupling(bound=1.0)),
    "orders": lambda: (MADE(3, 2, [4]), MADE(3, 2, [4], order=[2, 1, 0])),
    "dtypes": lambda: (net(), net(dtype="mixed_bfloat16")),
    "permutations": lambda: (b.Permutation((3,), [1, 2, 0]), b.Permutation((3,), [2, 0, 1])),
    "classes": lambda: (b.ActNorm((4,)), b.ElementwiseAffine((4,), (4,))),
    "Keras' own": lambda: (keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)),
    "a user's": lambda: (OfAUser(), OfAUser()),
}


@pytest.mark.parametrize("name", ALIKE)
def test_what_differs_in_weights_only_is_alike(name):
    one, two = map(shared.kind, ALIKE[name]())
    assert one[0] == two[0] and len(one[1]) == len(two[1])


@pytest.mark.parametrize("name", OTHERS)
def test_what_computes_something_else_is_not_alike(name):
    one, two = OTHERS[name]()
    assert shared.kind(one)[0] != shared.kind(two)[0]


def test_weights_that_steps_share():
    one, two = (b.ActNorm((4,)) for _ in range(2))
    assert shared.kind([one, one])[0] != shared.kind([one, two])[0]
    assert shared.kind([one, one])[0] == shared.kind([two, two])[0]


@pytest.mark.parametrize("options", [{}, {"accumulate": 2}, {"xla": True}, {"conditioner_dtype": "mixed_bfloat16"}])
def test_training_is_that_of_steps_that_share_nothing(monkeypatch, options):
    """Three steps of `fit` with Keras' Adam, as with each step traced by itself."""
    found = {}
    for sharing in (True, False):
        flow = flows.Glow((4, 4, 3), levels=2, depth=3, hidden=8, **{k: v for k, v in options.items() if "_" in k})
        for name in options.keys() & {"accumulate", "xla"}:
            setattr(flow, name, options[name])
        if not sharing:
            monkeypatch.setattr(shared, "parts", lambda numbered: numbered)
        x = np.random.default_rng(0).integers(0, 256, (24, 4, 4, 3), dtype=np.uint8)
        flow.compile(keras.optimizers.Adam(1e-2))
        flow.adapt(x)
        flow.fit(x, batch_size=8, shuffle=False, verbose=0)
        found[sharing] = flow.get_weights()
    tolerance = 2e-2 if "conditioner_dtype" in options else 1e-4
    for actual, expected in zip(found[True], found[False], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
