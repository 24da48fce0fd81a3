"""Keras' optimizers by one operation per variable: the same weights and slots, in a smaller graph."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from flowzoo.models.fused_update import fuse
from flowzoo.record.recipe import Recipe
from flowzoo.training.optimizer import optimizer
from tests import cases

ADAMS = {
    "Adam": lambda: keras.optimizers.Adam(3e-3, epsilon=1e-5),
    "AdamW": lambda: keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, 9), weight_decay=0.1),
    "Adamax": lambda: keras.optimizers.Adamax(3e-3, beta_1=0.8),
    "Adam with all": lambda: keras.optimizers.Adam(
        3e-3, global_clipnorm=0.5, use_ema=True, ema_momentum=0.5, weight_decay=0.01
    ),
    "Adam of a loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(3e-3), 8.0),
    "recipe": lambda: optimizer(Recipe(steps=20, learning_rate=3e-3, clip_norm=1.0, ema=0.9)),
}
OTHERS = {
    "amsgrad": lambda: keras.optimizers.Adam(amsgrad=True),
    "Lion": keras.optimizers.Lion,
    "SGD": keras.optimizers.SGD,
}


def trained(name, dtype="float32", fused=True):
    """Weights and slots after steps with gradients from 1e-6 to 10, and the operations of such a step."""
    weights = [keras.Variable(np.linspace(-1, 1, n), dtype=dtype, name=f"w{n}") for n in (3, 5)]
    made = ADAMS[name]()
    made.build(weights)
    if fused:
        fuse(made)
    step = tf.function(lambda *gradients: made.apply_gradients(zip(gradients, weights, strict=True)))
    draws = np.random.default_rng(0)
    for _ in range(10):
        step(*(tf.constant(draws.normal(size=n) * 10.0 ** draws.uniform(-6, 1), dtype) for n in (3, 5)))
    operations = step.get_concrete_function(*(tf.TensorSpec([n], dtype) for n in (3, 5))).graph.get_operations()
    return [np.array(v) for v in (*weights, *made.variables)], [operation.type for operation in operations]


@pytest.mark.parametrize("name", ADAMS)
def test_weights_and_slots_are_those_of_keras(name):
    (expected, before), (actual, after) = trained(name, fused=False), trained(name)
    for old, new in zip(expected, actual, strict=True):
        np.testing.assert_allclose(new, old, rtol=2e-5, atol=1e-7)
    assert len(after) < 0.8 * len(before) or "scale" in name  # a loss scale's update is a function of its own


def test_float64_keeps_its_digits():
    for old, new in zip(trained("Adam", "float64", fused=False)[0], trained("Adam", "float64")[0], strict=True):
        np.testing.assert_allclose(new, old, rtol=0, atol=1e-6)  # Keras rounds its betas to float32 on the way


def test_takes_the_variables_of_tensorflow():
    results = []
    for fused in (False, True):
        weight, made = keras.Variable(np.ones(3, "float32")), keras.optimizers.Adam(0.1)
        made.build([weight])
        if fused:
            fuse(made)
        made.apply([tf.ones(3)], [weight.value])
        results.append(np.array(weight))
    np.testing.assert_allclose(*results, rtol=1e-6)


@pytest.mark.parametrize("name", OTHERS)
def test_others_stay_as_they_are(name):
    made = OTHERS[name]()
    fuse(made)
    assert "update_step" not in vars(made)


def test_rows_of_an_embedding_are_updated_as_by_keras():
    results = []
    for fused in (False, True):
        table, made = keras.Variable(np.ones([4, 2], "float32")), keras.optimizers.Adam(0.1)
        made.build([table])
        if fused:
            fuse(made)
        made.apply_gradients([(tf.IndexedSlices(tf.ones([1, 2]), tf.constant([2]), [4, 2]), table)])
        results.append(np.array(table))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)


def test_a_state_of_before_resumes():
    """Slots that Keras' own update has filled, as in an old work folder, go on with the fused one."""
    gradient, ends = tf.constant([1.0, -2.0, 1e-3]), []
    for fused in (False, True):
        weight = keras.Variable(np.ones(3, "float32"))
        old, new = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01)
        old.build([weight]), new.build([weight])
        old.apply_gradients([(gradient, weight)])
        new.set_weights([np.array(variable) for variable in old.variables])
        if fused:
            fuse(new)
        new.apply_gradients([(-gradient, weight)])
        ends.append(np.array(weight))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-6)


def test_the_first_step_is_traced_once_and_by_few_operations(monkeypatch):
    model, (x, condition) = cases.new_flow("glow-classes"), cases.flow_data("glow-classes", 8)
    model.adapt(x, condition)
    traced, step = [], type(model).train_step
    monkeypatch.setattr(type(model), "train_step", lambda flow, data: traced.append(1) or step(flow, data))
    for optimizer_name in ("adam", keras.optimizers.AdamW(1e-3), keras.optimizers.Adamax(1e-3)):
        model.compile(optimizer_name)
        model.fit(x, condition, batch_size=4, verbose=0)
        assert len(traced) == 1
        traced.clear()
        model.compile(optimizer_name if isinstance(optimizer_name, str) else type(optimizer_name)(1e-3))
        model.train_on_batch(x, condition)
        assert len(traced) == 1
        traced.clear()
