"""A step that is not finite: an error that names the cause, and everything as before the step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from flowzoo import flows
from flowzoo.core.errors import NonFiniteError
from tests import cases

ROWS, BATCH = 64, 16
STOPPED = r"Step \d was stopped before it changed anything: "


def numbers(seed=0, features=3):
    return np.random.default_rng(seed).normal(size=(ROWS, features)).astype("float32")


def spoiled(values, row, value):
    values = values.copy()
    values[row] = value
    return values


def batches(*parts):
    return tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0]).batch(BATCH)


LABELS = np.arange(ROWS) % 4
PIXELS = (np.arange(ROWS * 16) % 32).astype("uint8").reshape(ROWS, 4, 4, 1)
VECTORS, CLASSES = {"depth": 1, "hidden": 8}, {"depth": 1, "hidden": 8, "classes": 4}
CASES = {  # options of a maf (bits: of an image flow), the data set, the bad step, and what the error says
    "x": (VECTORS, [spoiled(numbers(), 37, np.nan)], 3, r"`x` holds NaN or infinity in rows 5"),
    "huge": (VECTORS, [spoiled(numbers(), 4, 1e20)], 1, r"log p\(x\) is not finite in rows 4 of the batch, though"),
    "label": (CLASSES, [numbers(), spoiled(LABELS, 20, 7)], 2, r"labels outside 0 \.\.\. 3 in rows 4"),
    "weight": (
        CLASSES,
        [numbers(), LABELS, spoiled(np.ones(ROWS, "float32"), 3, np.nan)],
        1,
        r"`sample_weight` is NaN, infinite or negative in rows 3",
    ),
    "negative": (
        CLASSES,
        [numbers(), LABELS, spoiled(np.ones(ROWS, "float32"), 20, -1.0)],
        2,
        r"`sample_weight` is NaN, infinite or negative in rows 4",
    ),
    "condition": (
        {"depth": 1, "hidden": 8, "condition_features": 2},
        [numbers(), spoiled(numbers(1, 2), 50, np.inf)],
        4,
        r"the condition holds NaN or infinity in rows 2",
    ),
    "pixel": ({"bits": 5}, [spoiled(PIXELS, 33, 200)], 3, r"`x` holds integers outside 0 \.\.\. 31 in rows 1"),
}


def made(options, parts):
    if options.get("bits"):
        flow = flows.create("realnvp", event_shape=(4, 4, 1), levels=1, depth=1, hidden=4, blocks=1, **options)
        flow.adapt(PIXELS)
        return flow
    flow = flows.create("maf", event_shape=(3,), **options)
    flow.adapt(numbers(), parts[1] if "condition_features" in options else LABELS if "classes" in options else None)
    return flow


def state(flow):
    return [tf.convert_to_tensor(v).numpy() for v in (*flow.weights, *flow.optimizer.variables)]


def require_same(before, after):
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def good_steps(options, parts, count, compiled):
    """The state of a flow that took only the steps before the bad one."""
    flow = made(options, [part if i != 1 else np.nan_to_num(part, posinf=0.0) for i, part in enumerate(parts)])
    compiled(flow)
    flow.optimizer.build(flow.trainable_variables)
    for batch in batches(*parts).take(count):  # not by `fit`, at whose end Keras puts averages in the place of weights
        flow.train_on_batch(*(batch if isinstance(batch, tuple) else (batch,)))
    return state(flow)


@pytest.mark.parametrize("name", CASES)
def test_fit_stops_before_the_weights_change_and_names_the_cause(name):
    options, parts, step, message = CASES[name]
    flow = made(options, [np.nan_to_num(part, posinf=0.0) for part in parts] if name == "condition" else parts)
    flow.compile(keras.optimizers.Adam(1e-3))
    expected = good_steps(options, parts, step - 1, lambda flow: flow.compile(keras.optimizers.Adam(1e-3)))
    with pytest.raises(NonFiniteError, match=STOPPED + ".*" + message) as error:
        flow.fit(batches(*parts), verbose=0)
    assert f"Step {step} " in str(error.value)
    require_same(expected, state(flow))


@pytest.mark.parametrize("how", ["xla", "accumulate", "many steps", "eager", "Lion", "Adamax"])
def test_in_every_way_of_training(how):
    options, parts, step, message = CASES["x"]
    kind = getattr(keras.optimizers, how if how in ("Lion", "Adamax") else "AdamW")

    def compiled(flow):
        flow.compile(
            kind(1e-3, global_clipnorm=1.0, use_ema=True),
            steps_per_execution=4 if how == "many steps" else 1,
            run_eagerly=how == "eager",
        )
        flow.xla, flow.accumulate = how == "xla", 2 if how == "accumulate" else 1

    expected = good_steps(options, parts, step - 1, compiled)
    flow = made(options, parts)
    compiled(flow)
    with pytest.raises(NonFiniteError, match=message):
        flow.fit(batches(*parts), verbose=0)
    require_same(expected, state(flow))


def test_on_single_batches():
    flow = made(VECTORS, None)
    flow.compile("adam")
    flow.optimizer.build(flow.trainable_variables)
    scale = next(w for w in flow.trainable_weights if w.path.endswith("log_scale"))
    good = scale.numpy()
    scale.assign(good + 80.0)  # as after steps that were too large
    before = state(flow)
    with pytest.raises(
        NonFiniteError, match=r"Step 1 was stopped .* log p\(x\) is not finite in rows 0, 1, 2, 3, 4, ... of"
    ):
        flow.train_on_batch(numbers())
    with pytest.raises(NonFiniteError, match=r"The evaluation was stopped: log p\(x\) is not finite in rows 0, 1"):
        flow.test_on_batch(numbers())
    require_same(before, state(flow))
    scale.assign(good)
    assert np.isfinite(flow.train_on_batch(numbers()))


def test_a_gradient_alone():
    flow = made(VECTORS, None)
    flow.compile(keras.optimizers.Adam(1e-3))
    encode = flow.transform.encode
    weight = next(w for w in flow.trainable_weights if w.path.endswith("shift"))

    def kinked(x, condition=None, context=None):  # the root of 0 is 0, its slope infinite
        z, log_det = encode(x, condition, context)
        return z, log_det + tf.sqrt(tf.abs(0.0 * tf.reduce_sum(weight)))

    flow.transform.encode = kinked
    with pytest.raises(NonFiniteError, match=f"the gradient of {weight.path} is not finite, or"):
        flow.fit(numbers(), verbose=0)


@pytest.mark.parametrize("kind", ["loss", "weights"])
def test_a_loss_alone(kind):
    flow = made(VECTORS, None)
    flow.compile("adam", loss=(lambda _, log_prob: log_prob * np.nan) if kind == "loss" else None, run_eagerly=True)
    weights = np.full(ROWS, 3e38, "float32") if kind == "weights" else None
    message = r"stopped[^:]*: the loss is not finite, though log p\(x\) is in each row\. Look at the `loss`"
    for call in (flow.fit, flow.evaluate):
        with pytest.raises(NonFiniteError, match=message):
            call(numbers(), sample_weight=weights, verbose=0)
    for call in (flow.train_on_batch, flow.test_on_batch):
        with pytest.raises(NonFiniteError, match=message):
            call(numbers(), sample_weight=weights)


def test_a_batch_outside_its_bounds_is_named_without_a_graph():
    flow = flows.create("maf", event_shape=(3,), depth=1, hidden=8, bounds=[[-9, 9], None, None])
    flow.adapt(numbers())
    flow.compile("adam", run_eagerly=True)
    flow.train_on_batch(numbers())
    for call in (flow.train_on_batch, flow.test_on_batch):
        with pytest.raises(NonFiniteError, match=r"inside the flow's support, got others in rows 5 of .*0: \[-9"):
            call(spoiled(numbers(), (5, 0), 10.0))


@pytest.mark.parametrize("rate", [np.nan, np.inf, lambda: tf.constant(np.nan)])
def test_a_learning_rate_alone(rate):
    flow = made(VECTORS, [numbers()])
    flow.compile(keras.optimizers.SGD(rate))
    before = flow.get_weights()
    with pytest.raises(NonFiniteError, match=STOPPED + r"the learning rate is (nan|inf), which is not a finite number"):
        flow.fit(numbers(), batch_size=BATCH, verbose=0)
    for old, new in zip(before, flow.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_that_nothing_else_looks_at():
    flow = made(VECTORS, [numbers()])
    spoil = lambda batch, logs: flow.trainable_weights[0].assign(flow.trainable_weights[0] * np.inf)  # noqa: E731
    after = keras.callbacks.LambdaCallback(on_train_batch_end=spoil)
    with pytest.raises(NonFiniteError, match=r"weights are not finite: \S+/.* Every loss and gradient was finite"):
        flow.fit(numbers()[:BATCH], batch_size=BATCH, verbose=0, callbacks=[after])
    with pytest.raises(NonFiniteError, match=r"weights are not finite: \S+/.* An earlier step left them so"):
        flow.fit(numbers()[:BATCH], batch_size=BATCH, verbose=0)


class Overflowing(keras.optimizers.SGD):
    """Its second update is infinite, of finite gradients."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, tf.where(self.iterations < 1, learning_rate, np.inf))


OVERFLOWS = r"Step 2 was stopped before it changed anything: the optimizer's own update would make \S+/\S+, .* NaN or "


@pytest.mark.parametrize("how", ["fit", "train_on_batch", "eager"])
def test_what_an_own_optimizer_overflows_is_undone(how):
    flow, x = made(VECTORS, None), numbers()[:BATCH]
    flow.compile(Overflowing(1e-3, momentum=0.9), run_eagerly=how == "eager")
    flow.train_on_batch(x)
    before = state(flow)
    with pytest.raises(NonFiniteError, match=OVERFLOWS):
        flow.train_on_batch(x) if how == "train_on_batch" else flow.fit(x, batch_size=BATCH, verbose=0)
    for old, new in zip(before, state(flow), strict=True):
        np.testing.assert_array_equal(new, old)


class Signs(keras.optimizers.Adam):
    """Of gradients divided by their sizes, of which some are 0."""

    def apply(self, grads, trainable_variables=None):
        super().apply([gradient / tf.abs(gradient) for gradient in grads], trainable_variables)


def changed_sgd():
    optimizer = optimizers.SGD()
    optimizer.update_step = lambda gradient, variable, rate: variable.assign(variable * np.nan)
    return optimizer


optimizers = keras.optimizers
BREAKING = {  # what makes NaN or infinity of finite gradients, most of 0, as masked kernels have
    "0 / 0": optimizers.Adafactor,
    "decay": lambda: optimizers.AdamW(weight_decay=np.inf),
    "epsilon": lambda: optimizers.Adam(epsilon=0.0),
    "beta": lambda: optimizers.Adam(beta_1=1 - 1e-9),
    "accumulator": lambda: optimizers.Adagrad(initial_accumulator_value=-1.0),
    "average": lambda: optimizers.SGD(use_ema=True, ema_momentum=np.nan),
    "inherits": Signs,
    "changed": lambda: changed_sgd(),
    "scaled": lambda: optimizers.LossScaleOptimizer(optimizers.RMSprop(epsilon=0.0), initial_scale=1.0),
    "scale": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(), initial_scale=0.0),
}


@pytest.mark.parametrize("kind", BREAKING)
def test_an_update_of_finite_gradients_that_is_not_finite_is_undone(kind):
    flow, x = cases.new_flow("maf"), numbers()[:BATCH, :2]
    flow.compile(BREAKING[kind]())
    with pytest.raises(NonFiniteError, match=r"Step 1 .* own update would make \S+.* NaN or"):
        flow.train_on_batch(x)
    assert all(np.isfinite(value).all() for value in flow.get_weights()) and np.isfinite(flow.score(x)).all()


@pytest.mark.parametrize(
    "optimizer", [optimizers.Adam(1e-3, global_clipnorm=1.0), optimizers.SGD(1.8e19, momentum=0.9, nesterov=True)]
)
def test_gradients_at_the_edge_of_float32_are_stopped(optimizer):
    flow, x = made(VECTORS, None), numbers()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(-flow.log_prob(x))
    weights = [weight.value for weight in flow.trainable_weights]
    norm = tf.linalg.global_norm([g for g in tape.gradient(loss, weights) if g is not None])
    scale = 2.2e19 / float(norm)  # half the square of the norm is within float32, the square is not
    flow.compile(type(optimizer).from_config(optimizer.get_config()), loss=lambda _, log_prob: -log_prob * scale)
    with pytest.raises(NonFiniteError, match="Step 1 was stopped before it changed anything: the gradient of"):
        flow.train_on_batch(x)
    assert all(np.isfinite(value).all() for value in flow.get_weights())


def test_evaluate_raises_and_predict_keeps_the_rows():
    flow, bad = made(VECTORS, None), batches(spoiled(numbers(), [5, 37], np.nan))
    with pytest.raises(NonFiniteError, match=r"The evaluation was stopped: `x` holds NaN or infinity in rows 5"):
        flow.evaluate(bad, verbose=0)
    with pytest.warns(UserWarning, match=r"NaN for 2 of 64 rows: 5, 37\."):
        log_prob = flow.predict(bad, verbose=0)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(log_prob)), [5, 37])
    np.testing.assert_allclose(np.delete(log_prob, [5, 37]), np.delete(flow.score(numbers()), [5, 37]), rtol=1e-5)


def test_a_loss_scale_leaves_updates_out_by_itself():
    flow = made(VECTORS, None)
    flow.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3), initial_scale=2.0**127))
    with pytest.warns(UserWarning, match="`LossScaleOptimizer` skipped all steps"):
        flow.fit(10 * numbers(), verbose=0)  # its first gradients overflow, by design
    assert all(np.isfinite(value).all() for value in state(flow)[: len(flow.weights)])
    scale, count = float(flow.optimizer.dynamic_scale), len(flow.optimizer.variables)
    assert scale < 2.0**127
    flow.train_on_batch(numbers()[:2])  # from there
    assert float(flow.optimizer.dynamic_scale) <= scale and len(flow.optimizer.variables) == count


def test_a_loss_scale_that_leaves_out_all_is_told():
    flow = made(VECTORS, None)
    loss = lambda _, log_prob: tf.sqrt(tf.nn.relu(0.0 * log_prob)) - log_prob  # noqa: E731, its gradient is NaN
    flow.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3)), loss=loss)
    with pytest.warns(UserWarning, match=r"`LossScaleOptimizer` skipped all steps of this `fit`"):
        flow.fit(numbers(), verbose=0)


_TWO_DEVICES = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from flowzoo.core.errors import NonFiniteError
from tests.models.test_finite import *
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    flow = made(VECTORS, None)
    flow.compile(Overflowing(1e-3, momentum=0.9))
flow.fit(batches(numbers()[:BATCH]), verbose=0)
before = state(flow)
try:
    flow.fit(batches(numbers()[:BATCH]), verbose=0)
except NonFiniteError as error:
    print("UNDONE", all((a == b).all() for a, b in zip(before, state(flow), strict=True)), error)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    flow = made(VECTORS, None)
    flow.compile(keras.optimizers.Adam(1e-3))
try:
    flow.fit(batches(spoiled(numbers(), 37, np.nan)), verbose=0)
except NonFiniteError as error:
    print("RESULT", error)
flow.fit(batches(numbers()[:17]), verbose=0)  # of the last batch one replica has no rows
print("FINITE", all(np.isfinite(value).all() for value in state(flow)), int(flow.optimizer.iterations.numpy()))
"""


def test_two_devices_stop_together(fresh_process):
    printed = fresh_process(_TWO_DEVICES)
    assert "UNDONE True Step 2 was stopped before it changed anything: the optimizer's own update would" in printed
    assert "RESULT Step 3 was stopped before it changed anything: `x` holds NaN or infinity in rows" in printed
    assert "FINITE True 4" in printed
