"""Gradient accumulation: micro-batches give the step that the whole batch gives."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from flowzoo.models import accumulation
from tests import cases


def _trained(name, parts, rows=16):
    """History and weights after three steps with a moving average and clipped gradients."""
    model, (x, condition) = cases.new_flow(name), cases.flow_data(name, rows * 3)
    model.adapt(x, condition)
    model.accumulate = parts
    optimizer = keras.optimizers.Adam(1e-3, global_clipnorm=0.5, use_ema=True, ema_momentum=0.9)
    model.compile(optimizer=optimizer)
    history = model.fit(x, condition, batch_size=rows, shuffle=False, verbose=0).history
    averages = [np.array(v) for v in optimizer._model_variables_moving_average]
    return history, [np.array(w) for w in model.trainable_weights], averages, int(optimizer.iterations)


@pytest.mark.parametrize("name", ["realnvp-condition", "glow-classes"])
def test_micro_batches_give_the_step_of_the_batch(name):
    (history, *whole), (parted, *parts) = _trained(name, 1), _trained(name, 4)
    for key, values in history.items():
        np.testing.assert_allclose(parted[key], values, rtol=1e-5)
    assert whole[-1] == parts[-1] == 3
    for expected, actual in zip(tf.nest.flatten(whole), tf.nest.flatten(parts), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_with_sample_weights_and_in_float64():
    x, condition = cases.flow_data("realnvp-condition", 8)
    weight = np.linspace(0.0, 2.0, 8).astype("float32")
    losses = []
    for parts in (1, 2):
        model = cases.new_flow("realnvp-condition", dtype="float64")
        model.adapt(x, condition)
        model.accumulate = parts
        model.compile(keras.optimizers.SGD(0.1))
        data = tf.data.Dataset.from_tensors((x.astype("float64"), condition, weight)).repeat(3)
        losses.append(
            model.fit(data, shuffle=False, verbose=0).history["loss"] + [w.numpy() for w in model.trainable_weights]
        )
    for expected, actual in zip(*losses, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_one_micro_batch_at_a_time():
    sizes = []

    def function(x, nothing):
        sizes.append(x.shape[0])
        return x, tf.reduce_mean(x), [tf.reduce_mean(x)[None]]

    x = tf.range(12.0)
    run = tf.function(lambda x: accumulation.in_parts(function, (x, None), 3, [tf.zeros([1])], "float32"))
    log_prob, loss, (gradient,) = run(x)
    np.testing.assert_array_equal(log_prob, x)
    assert sizes == [4] and loss == 5.5 and gradient == [5.5]  # the loop's body is traced once


def test_rows_that_do_not_divide_are_refused():
    model, x = cases.new_flow("realnvp"), cases.flow_data("realnvp", 8)[0]
    model.compile()
    model.optimizer.build(model.trainable_variables)
    model.accumulate = 3
    with pytest.raises(ValueError, match=r"`accumulate` = 3 must divide the rows .* Got a batch of 8"):
        model.train_on_batch(x)
    model.accumulate = 4
    rest = "^Step 2 was stopped before it changed anything: `accumulate` = 4 must divide .* drop_remainder.$"
    with pytest.raises(ValueError, match=rest):
        model.fit(tf.data.Dataset.from_tensor_slices(x[:6]).batch(4), verbose=0)  # 4, then 2
    assert model.optimizer.iterations.numpy() == 1


_TWO_DEVICES = """
import json
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests import cases
def trained(strategy, backprop, accumulate):
    x, condition = cases.flow_data("realnvp-condition", 16)
    with strategy.scope():
        model = cases.new_flow("realnvp-condition")
        model.compile("sgd")
    model.backprop, model.accumulate = backprop, accumulate
    data = tf.data.Dataset.from_tensor_slices((x, condition)).batch(8)
    losses = model.fit(data, epochs=2, verbose=0).history["loss"]
    return losses + [float(np.sum(np.array(w.value) ** 2)) for w in model.trainable_weights]
one, two = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert two.num_replicas_in_sync == 2
for options in ((two, "store", 2), (two, "reversible", 2), (two, "remat", 1), (one, "reversible", 4)):
    print("RESULT" + json.dumps([trained(one, "store", 1), trained(*options)]))
"""


def test_two_devices_with_every_saving_train_as_one(fresh_process):
    lines = [line for line in fresh_process(_TWO_DEVICES).splitlines() if line.startswith("RESULT")]
    assert len(lines) == 4
    for line in lines:
        plain, saving = json.loads(line.removeprefix("RESULT"))
        np.testing.assert_allclose(saving, plain, rtol=1e-5)
