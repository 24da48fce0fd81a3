"""Less memory in back-propagation: the same gradients, by recomputing or inverting the steps of a chain."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from flowzoo import bijectors as b
from flowzoo import flows
from flowzoo.bijectors import backprop
from flowzoo.conditioners import MLP
from flowzoo.core.context import Context
from tests import cases


def largest_error(actual, expected):
    """The largest difference of two lists of gradients, relative to the largest entry."""
    largest = max(np.abs(value).max() for value in expected)
    return max(np.abs(np.asarray(a) - e).max() for a, e in zip(actual, expected, strict=True)) / largest


def gradients(model, x, condition, mode):
    """d mean log p / d weights."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.raw.log_prob(tf.constant(x), condition, model.raw.as_seed(0), 1, mode))
    return tape.gradient(loss, model.trainable_weights)


@pytest.mark.parametrize("mode", ["remat", "reversible"])
@pytest.mark.parametrize("name", cases.TAKES_BFLOAT16)
def test_gradients_with_networks_in_bfloat16(name, mode):
    model, (x, condition) = cases.new_flow(name, conditioner_dtype="mixed_bfloat16"), cases.flow_data(name)
    stored = gradients(model, x, condition, "store")
    assert largest_error(gradients(model, x, condition, mode), stored) < 1e-2


def _steps(depth, condition_features=0, hidden=6, features=5):
    mask = np.arange(features) % 2
    chain = []
    for i in range(depth):
        split = b.FeatureMask((mask + i) % 2)
        sizes = split.kept_shape[0], 2 * split.free_shape[0]
        network = MLP(*sizes, [hidden], condition_features, seed=i)
        chain += [b.ActNorm((features,)), b.AffineCoupling((features,), split, network)]
    return b.Chain(chain)


@pytest.mark.parametrize("mode", ["remat", "reversible"])
def test_gradients_of_data_and_condition(mode):
    chain = cases.randomized(b.Chain([b.Logit((5,)), _steps(3, condition_features=2), b.Reverse((5,))]))
    numbers = np.random.default_rng(0)
    x = tf.constant(numbers.uniform(0.1, 0.9, (4, 5)), tf.float32)
    condition = tf.constant(numbers.normal(size=(4, 2)), tf.float32)

    @tf.function
    def both(x, condition, mode):
        with tf.GradientTape() as tape:
            tape.watch([x, condition])
            z, log_det = chain.encode(x, condition, Context(memory=mode))
            loss = tf.reduce_sum(tf.sin(z)) + tf.reduce_sum(log_det)
        return tape.gradient(loss, [x, condition, *chain.trainable_weights])

    assert largest_error(both(x, condition, mode), both(x, condition, "store")) < 1e-5


@pytest.mark.parametrize("coupling", ["affine", "additive"])
def test_errors_do_not_grow_with_depth(coupling):
    model = flows.Glow((4, 4, 2), levels=1, depth=32, hidden=4, coupling=coupling)
    cases.randomized(model, 0.05)
    x = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 2), dtype=np.uint8)
    model.adapt(x)
    assert largest_error(gradients(model, x, None, "reversible"), gradients(model, x, None, "store")) < 1e-4


def test_what_is_inverted_and_what_is_kept(monkeypatch):
    decoded = []
    decode = b.AffineCoupling._decode
    monkeypatch.setattr(b.AffineCoupling, "_decode", lambda self, *args: decoded.append(self) or decode(self, *args))
    depth = 2 * backprop.ANCHOR + 1
    chain, x = _steps(depth), tf.ones([2, 5])
    for mode, expected in (("store", 0), ("remat", 0), ("reversible", depth - 2)):  # all but the anchors
        decoded.clear()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(chain.encode(x, context=Context(memory=mode))[0])
        tape.gradient(loss, chain.trainable_weights)
        assert len(decoded) == len(set(decoded)) == expected
    layers = [b.Multiscale([b.Logit((4, 4, 2))]), b.Logit((4, 4, 2))]
    (_, logit), (place, run) = backprop.parts(layers, "reversible")
    assert isinstance(logit, b.Multiscale)  # whose levels save memory themselves
    assert place == 1 and isinstance(run, backprop.Run) and not run.steps[0][0][1].reversible
    assert backprop.parts(layers, "store") == [*enumerate(layers)]


def test_bad_modes_and_networks_are_named():
    with pytest.raises(ValueError, match=r"one of \['store', 'remat', 'reversible'\], got 'invert'"):
        cases.new_flow("realnvp").backprop = "invert"
    network = MLP(3, 4, [6])
    network.drop = keras.layers.Dropout(0.1)
    split = b.FeatureMask([1, 0, 1, 0, 1])
    chain = b.Chain([b.AffineCoupling((5,), split, network)])
    with pytest.raises(ValueError, match="got a Dropout in AffineCoupling"):
        chain.encode(tf.ones([2, 5]), context=Context(memory="remat"))
    with pytest.raises(ValueError, match=r"`memory` must be one of .*, got 'less'"):
        chain.encode(tf.ones([2, 5]), context=Context(memory="less"))


@pytest.mark.parametrize(
    ("xla", "conditioner_dtype", "tolerance"),
    [(False, "float32", 1e-5), (True, "float32", 1e-5), (False, "mixed_bfloat16", 1e-3)],
)
def test_fit_is_the_same(xla, conditioner_dtype, tolerance):
    x, trained = cases.flow_data("realnvp", 16)[0], []
    for mode in backprop.MODES:
        model = cases.new_flow("realnvp", conditioner_dtype=conditioner_dtype)
        model.adapt(x)
        model.backprop, model.xla = mode, xla
        model.compile(keras.optimizers.SGD(0.1))
        model.fit(x, batch_size=8, shuffle=False, verbose=0)
        trained.append([w.numpy() for w in model.trainable_weights])
    for other in trained[1:]:
        assert largest_error(other, trained[0]) < tolerance
    assert model.log_prob(x).shape == (16,) and "backprop" not in model.get_config()


_PEAKS = """
import json
import tensorflow as tf
from flowzoo.core.context import Context
from tests.bijectors.test_backprop import _steps
x, peaks = tf.ones([1024, 32]), {}  # steps wide enough that what is kept outweighs the order of operations
for mode, depth in (("store", 14), ("remat", 14), ("reversible", 14), ("reversible", 3)):
    chain = _steps(depth, hidden=128, features=32)
    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            z, log_det = chain.encode(x, context=Context(memory=mode))
            loss = tf.reduce_mean(z**2) - tf.reduce_mean(log_det)
        for weight, gradient in zip(chain.trainable_weights, tape.gradient(loss, chain.trainable_weights)):
            weight.assign_sub(0.01 * gradient)
    step()
    tf.config.experimental.reset_memory_stats("CPU:0")
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    step()
    peaks[f"{mode} {depth}"] = tf.config.experimental.get_memory_info("CPU:0")["peak"] - before
print("RESULT" + json.dumps(peaks))
"""


def test_memory_hardly_grows_with_depth(fresh_process):
    output = fresh_process(_PEAKS, TF_CPU_ALLOCATOR_USE_BFC="1", TF_NUM_INTEROP_THREADS="1")  # one order of operations
    peaks = json.loads(output.split("RESULT")[1])
    assert peaks["reversible 14"] < 1.5 * peaks["reversible 3"], peaks
    assert peaks["reversible 14"] < peaks["remat 14"] < 0.4 * peaks["store 14"], peaks
