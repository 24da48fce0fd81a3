"""Keras' methods refuse bad input before a weight changes, and take weights without a condition."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from flowzoo import flows
from flowzoo.core.context import Context
from flowzoo.surjections import UniformDequantization
from tests import cases

X = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
Y = (np.arange(32) % 3).astype("int32")


class Batches(keras.utils.PyDataset):
    """One batch, twice."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.batch


def _new(**options):
    options = {"standardize": False, **options}  # so that x is float32
    return cases.randomized(flows.create("realnvp", event_shape=(2,), depth=1, hidden=4, **options))


def _with(values, row, value):
    values = np.array(values)
    values[row] = value
    return values


def _masked(values, row):
    values = np.ma.masked_array(values)
    values[row] = np.ma.masked
    return values


WRONG = {  # x, condition, weights, and the error
    "nan": (_with(X, 3, np.nan), Y, None, "`x` must be finite, got NaN or infinity in 1 of 32 rows, first in row 3"),
    "1e20": (_with(X, 3, 1e20), Y, None, r"`x` must be at most 1\.3e\+19 in absolute.* first in row 3\..*overflow"),
    "1e39": (_with(X.astype("float64"), 3, 1e39), Y, None, "`x` must be within the range of float32.*first in row 3"),
    "label": (X, _with(Y, 3, 7), None, "`condition` must be .* labels 0 ... 2, got labels from 0 to 7"),
    "float-label": (X, Y.astype("float32"), None, "`condition` must be .* integer labels .*, got dtype float32"),
    "no-label": (X, None, None, "`condition` must be .*, got None"),
    "nan-weight": (X, Y, _with(np.ones(32), 3, np.nan), "`sample_weight` must be finite and >= 0, got nan in row 3"),
    "negative-weight": (
        X,
        Y,
        _with(np.ones(32), 4, -1.0),
        "`sample_weight` must be finite and >= 0, got -1.0 in row 4",
    ),
    "short-weight": (X, Y, np.ones(31), r"`sample_weight` must be \(32,\) numbers.*shape \(31,\)"),
    "kind": (X.astype("int64"), Y, None, "`x` must hold floating-point numbers, got dtype int64"),
    "no-rows": (X[:0], Y[:0], None, r"`x` must have at least one row, got shape \(0, 2\)"),
    "masked": (_masked(X, 3), Y, None, r"`x` must have no masked entries, got 2\..* x\.filled\(0\)"),
    "masked-label": (X, _masked(Y, 3), None, "`condition` must have no masked entries, got 1"),
    "masked-weight": (X, Y, _masked(np.ones(32), 3), "`sample_weight` must have no masked entries, got 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_and_changes_nothing(case, eagerly):
    x, y, weights, message = WRONG[case]
    model = _new(classes=3)
    model.compile("adam")
    before = [weight.numpy() for weight in model.weights]
    for call in (model.fit, model.evaluate):
        with pytest.raises((ValueError, TypeError), match=message):
            call(x, y, sample_weight=weights, verbose=0)
    for call in (model.train_on_batch, model.test_on_batch):
        with pytest.raises((ValueError, TypeError), match=message):
            call(x, y, weights)
    given = (x, y) if weights is None else (x, y, weights)
    with pytest.raises((ValueError, TypeError), match=message.replace("`", "`validation ", 1)):
        model.fit(X, Y, validation_data=given, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights, strict=True))
    assert int(model.optimizer.iterations) == 0


def test_weights_of_classes_need_classes(eagerly):
    weights = {0: 1.0, 1: 0.0, 2: 0.0}
    for options, y in (({}, None), ({"condition_features": 2}, X)):
        for call in (_new(**options).fit, _new(**options).train_on_batch):
            with pytest.raises(ValueError, match=r"`class_weight` is for flows with `classes`, got .*`sample_weight`"):
                call(X, y, class_weight=weights)
    model, rows = _new(classes=3), (Y == 0).astype("float32")
    model.compile(keras.optimizers.SGD(0.0))
    losses = [
        model.fit(X, Y, verbose=0, **how).history["loss"][0]
        for how in ({"class_weight": weights}, {"sample_weight": rows})
    ]
    assert np.isclose(*losses) and np.isclose(model.train_on_batch(X, Y, class_weight=weights), losses[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_split_leaves_rows_on_both_sides(dtype, eagerly):
    model, x = _new(dtype=dtype), X.astype(dtype)
    for share in (1.0, -0.5, 1.5, float("nan"), "0.5", True):
        with pytest.raises(ValueError, match=f"`validation_split` must be a number >= 0 and < 1, got {share!r}"):
            model.fit(x, validation_split=share, verbose=0)
    for share, rows, left in ((0.999, 32, "0 and 32"), (0.5, 1, "0 and 1")):
        with pytest.raises(ValueError, match=f"must leave rows .* got {share} of {rows} rows, which leaves {left}"):
            model.fit(x[:rows], validation_split=share, verbose=0)
    assert not model.compiled
    assert "val_loss" in model.fit(x, validation_split=0.001, verbose=0).history


def test_predict_keeps_bad_rows_and_predict_on_batch_does_not(eagerly):
    model, bad = _new(), _with(X, 3, np.nan)
    found = model.predict(bad, verbose=0)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]
    with pytest.raises(ValueError, match="first in row 3"):
        model.predict_on_batch(bad)
    with pytest.raises(ValueError, match="must have shape"):
        model.predict(X[:, :1], verbose=0)


@pytest.mark.parametrize("given", [X, (X, Y)])
def test_predict_says_where_it_takes_a_condition(given, eagerly):
    with pytest.raises(ValueError, match=r"`predict` of Keras takes a condition in a data set only.*`score\(x, cond"):
        _new(classes=3).predict(given, verbose=0)


def test_weights_need_no_condition():
    weights = np.r_[np.ones(16), np.zeros(16)].astype("float32")
    model = _new()
    model.compile(keras.optimizers.SGD(0.0))
    expected = -model.log_prob(X).numpy().dot(weights) / 32 / 2
    assert np.isclose(model.fit(X, sample_weight=weights, verbose=0).history["loss"][0], expected, rtol=1e-5)
    assert np.isclose(model.evaluate(X, sample_weight=weights, verbose=0), expected, rtol=1e-5)
    assert np.isclose(model.evaluate(X, None, 32, 0, weights), expected, rtol=1e-5)  # by place
    one = model.fit(X, validation_data=(X, None, weights), verbose=0).history
    assert np.isclose(one["val_loss"][0], expected, rtol=1e-5) and not np.isclose(one["loss"][0], expected, rtol=1e-2)
    assert np.isclose(model.test_on_batch(X, sample_weight=weights), expected, rtol=1e-5)


def test_a_variable_is_data_and_gradients_reach_it():
    model, x = _new(), tf.Variable(X[:4])
    np.testing.assert_array_equal(model.log_prob(x), model.log_prob(X[:4]))
    np.testing.assert_array_equal(model.score(x), model.score(X[:4]))
    with tf.GradientTape() as tape:
        log_prob = model.log_prob(x)
    assert np.isfinite(tape.gradient(log_prob, x)).all()


def test_all_frozen_is_said(eagerly):
    model = _new()
    model.trainable = False
    model.compile("adam")
    for call in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match=r"All \d+ weights of this flow are frozen.*`trainable = True`"):
            call(X)
    assert np.isfinite(model.evaluate(X, verbose=0))


@pytest.mark.parametrize("run_eagerly", [True, False])
def test_all_frozen_is_said_after_a_first_step(run_eagerly):
    model = _new()
    model.compile("adam", run_eagerly=run_eagerly)
    model.train_on_batch(X)
    model.trainable = False
    for rows in (32, 32, 16):
        with pytest.raises(ValueError, match=r"All \d+ weights of this flow are frozen.*`trainable = True`"):
            model.train_on_batch(X[:rows])
    model.trainable = True
    assert np.isfinite(model.train_on_batch(X))


@pytest.mark.parametrize(
    ("options", "x", "y", "message"),
    [
        ({"classes": 3}, X, Y.astype("float32"), r"\(batch,\) integer labels 0 ... 2, got dtype float32 .* Cast it"),
        ({"classes": 3}, X, Y[:, None], r"\(batch,\) integer labels 0 ... 2, got .*shape \(None, 1\). Drop the axis"),
        ({"classes": 3}, X, None, r"`condition` must be in the data set, got x alone. Give elements \(x, condition\)"),
        ({"classes": 3}, X[:, :1], Y, r"`x` of .* must be \(batch, 2\) floating.*, got .* shape \(None, 1\)"),
        (
            {"condition_features": 2},
            X,
            X[:, :1],
            r"`condition` of the data set must be \(batch, 2\) numbers, got .*1\)",
        ),
        ({}, X, Y, "This flow takes no `condition`, got one"),
        ({}, X.astype("int32"), None, r"`x` .* floating-point numbers, got dtype int32 .* Cast it"),
        ({}, X[:0], None, "`x` must yield batches, got a data set that has none"),
        ({}, {"a": X}, None, r"`x` .* floating-point numbers, got a dict\. Give elements x, \(x, condition\)"),
        (
            {},
            tf.RaggedTensor.from_tensor(X),
            None,
            r"`x` .* floating-point numbers, got a RaggedTensor\. Give",
        ),
        ({}, tf.sparse.from_dense(X), None, r"`x` .* floating-point numbers, got a SparseTensor\. Give elements"),
    ],
)
def test_data_sets_of_wrong_shapes_or_types_are_refused_untraced(options, x, y, message):
    model = _new(**options)
    condition = {"classes": Y, "condition_features": X}.get(next(iter(options), None))
    good = tf.data.Dataset.from_tensors(X if condition is None else (X, condition))
    data = tf.data.Dataset.from_tensor_slices(x if y is None else (x, y)).batch(8)
    with pytest.raises((TypeError, ValueError), match=message.replace("`", "`validation ", 1)):
        model.fit(good, validation_data=data, verbose=0)
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises((TypeError, ValueError), match=message):
            call(data, verbose=0)
    assert model.train_function is model.test_function is model.predict_function is None


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:, :1], Y, r"`x` of the data set must be \(batch, 2\) floating-point numbers, got .* shape \(None, 1\)"),
        (X, None, r"`condition` must be in the data set, got x alone"),
        (X, Y.astype("float32"), r"`condition` .* integer labels 0 ... 2, got dtype float32 .* Cast it, as by tf.cast"),
        (X, Y[:, None], r"`condition` .* got .* shape \(None, 1\)\. Drop the axis"),
        (X, Y[:3], r"condition and weights in a batch must have the same number of rows, got \d+, 3\."),
        (X.astype(str), Y, r"`x` of the data set must be .* got dtype string"),
        (X[0], 1, r"Divide it into batches"),
    ],
)
def test_python_data_sets_are_refused_by_their_first_batch(x, y, message):
    given = (x,) if y is None else (x, y)
    model = _new(classes=3)
    for call in (model.fit, model.evaluate):
        for data in (Batches(given), (batch for batch in Batches(given))):
            with pytest.raises((TypeError, ValueError), match=message):
                call(data, verbose=0)
    assert model.train_function is model.test_function is None and not model.adapted.numpy()


W = np.ones(32, "float32")
LATER = {  # of a flow with 3 classes: a batch that follows (X, Y, W), and the error
    "float-label": ((X, Y + 0.9, W), r"`condition` of .* integer labels 0 ... 2, got dtype float64 .* Cast it"),
    "int-x": ((X.astype("int64"), Y, W), "`x` of .* floating-point numbers, got dtype int64"),
    "float64-x": ((X.astype("float64"), Y, W), "`x` of .* one dtype in all batches, got float64 after float32"),
    "int64-label": ((X, Y.astype("int64"), W), "`condition` .* one dtype in all batches, got int64 after int32"),
    "shape": ((X[:, :1], Y, W), r"`x` of the data set must be \(batch, 2\) .* shape \(None, 1\)"),
    "label-axis": ((X, Y[:, None], W), r"`condition` .* got .* shape \(None, 1\)\. Drop the axis"),
    "no-label": ((X,), "`condition` must be in the data set, got x alone"),
    "few-weights": ((X, Y, W[:3]), "condition and weights in a batch must have the same number of rows, got 32, 32, 3"),
    "wide-weights": ((X, Y, X), r"`sample_weight` of the data set must be \(batch,\) numbers.* shape \(None, 2\)"),
    "no-weights": ((X, Y), "`sample_weight` must be in each batch of the data set or in none"),
}


@pytest.mark.parametrize("case", LATER)
def test_each_batch_of_a_python_data_set_is_checked(case, eagerly):
    batch, message = LATER[case]

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return batch if index == 3 else (X, Y, W)  # Keras itself looks at the first two

    model = _new(classes=3)
    model.adapts = False
    model.compile(keras.optimizers.SGD(0.0))
    calls = [(model.fit, {}), (model.evaluate, {}), (model.fit, {"steps_per_epoch": 2, "epochs": 2})]
    for call, how in calls:
        for data in (Batches(), (each for each in Batches())):
            with pytest.raises((TypeError, ValueError), match=message):
                call(data, verbose=0, **how)
    with pytest.raises((TypeError, ValueError), match=message.replace("`", "`validation ", 1)):
        model.fit(X, Y, validation_data=Batches(), epochs=2, verbose=0)
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(Batches(workers=2), validation_data=(X, Y), verbose=0)
    with pytest.raises((TypeError, ValueError), match=message):
        model.predict(Batches(), verbose=0)


@pytest.mark.parametrize("open_shape", [None, (None, None)])
def test_data_sets_that_leave_their_shapes_open(open_shape, eagerly):
    x = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")

    def batches(*parts):
        specs = tuple(tf.TensorSpec(open_shape if part.ndim == 2 else None, part.dtype) for part in parts)
        found = parts if len(parts) > 1 else parts[0]
        return tf.data.Dataset.from_generator(
            lambda: iter([found, found]), output_signature=specs if len(parts) > 1 else specs[0]
        )

    flow = cases.new_flow("maf")
    flow.adapt(x, force=True)
    flow.fit(batches(x), verbose=0)
    expected = flow.evaluate(x, verbose=0)
    np.testing.assert_allclose(flow.evaluate(batches(x), verbose=0), expected, rtol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"expected shape \[\?,2\]"):
        flow.evaluate(batches(x[:, :1]), verbose=0)
    labelled, labels = cases.new_flow("nsf-ar-classes"), np.arange(32) % 3
    expected = labelled.evaluate(x, labels, verbose=0)
    given = batches(x, labels, np.ones(32, "float32"))
    np.testing.assert_allclose(labelled.evaluate(given, verbose=0), expected, rtol=1e-5)


def test_integers_are_cast_to_what_the_flow_takes(eagerly):
    flow = cases.new_flow("maf", event_shape=(1,))
    stamps = tf.data.Dataset.from_tensor_slices(1_700_000_000 + np.arange(64)[:, None]).batch(32)
    with pytest.raises(TypeError, match=r"Cast it, as by tf\.cast\(\.\.\., tf\.float64\)"):
        flow.fit(stamps, verbose=0)


@pytest.mark.parametrize("given", [None, {"a": X}, (X,), "x.csv", zip(X, Y, strict=True), iter([X])])
def test_what_is_neither_rows_nor_a_data_set(given, eagerly):
    kinds = "(None|dict|tuple|str|zip|list_iterator)"
    for method in (cases.new_flow("maf").fit, cases.new_flow("maf").evaluate):
        with pytest.raises(TypeError, match=rf"`x` must be an array, a frame or a data set, got {kinds}\. "):
            method(given)


@pytest.mark.parametrize("batch", [(X, None), (X, None, None), (X, None, np.ones(32, "float32"))])
def test_python_data_sets_need_no_condition(batch, eagerly):
    for given in (Batches(batch), (batch for _ in range(2))):
        assert np.isfinite(_new().fit(given, verbose=0).history["loss"]).all()


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (_masked(X, 3), "`x` must have no masked entries, got 2"),
        ({"a": X}, "`x` of the data set must be .*, got a dict"),
        ((X, None, _masked(np.ones(32, "float32"), 3)), "`sample_weight` must have no masked entries"),
    ],
)
def test_batches_of_python_data_sets_are_whole_arrays(batch, message, eagerly):
    for given in (Batches(batch), (batch for _ in range(2))):
        with pytest.raises((TypeError, ValueError), match=message):
            _new().fit(given, verbose=0)


def test_a_call_does_not_raise_the_error_of_the_one_before(eagerly):
    def broken():
        yield X
        raise RuntimeError("disk gone")

    flow = _new()
    for method in (flow.fit, flow.evaluate):
        with pytest.raises(ValueError, match=r"got dtype float32 and shape \(None, 1\)"):
            method(Batches(X[:, :1]), verbose=0)
        data = tf.data.Dataset.from_generator(broken, output_signature=tf.TensorSpec((None, 2)))
        with pytest.raises(tf.errors.OpError, match="disk gone"):
            flow.fit(data, verbose=0)


@pytest.mark.parametrize("rows", [1, 5])
def test_weights_of_a_data_set_are_one_for_each_row(rows):
    data = tf.data.Dataset.from_tensor_slices(X).batch(16)
    with pytest.raises(ValueError, match=rf"`sample_weight` .* one row for each of x, got shape \({rows},\) beside"):
        _new().fit(data.map(lambda x: (x, None, tf.ones(rows))), verbose=0)


@pytest.mark.parametrize(("labels", "fix"), [(Y[:, None], r"y\[:, 0\]"), (np.eye(3, dtype="int32")[Y], "y.argmax")])
def test_columns_of_labels_and_one_hot_rows_get_a_hint(labels, fix, eagerly):
    with pytest.raises(ValueError, match=rf"Pass the labels alone, as by {fix}"):
        _new(classes=3).fit(X, labels, verbose=0)


def test_a_python_data_set_of_frames_is_refused_in_words(eagerly):
    frame = pd.DataFrame(np.zeros((8, 2), "float32"), columns=["a", "b"])

    for given in (Batches((frame,)), (frame for _ in range(2)), ((frame,) for _ in range(2))):
        with pytest.raises(TypeError, match=r"The batches of `x` must hold arrays, got a DataFrame\. Pass the whole"):
            cases.new_flow("maf").fit(given, verbose=0)


def test_a_python_data_set_is_told_of_epochs(eagerly):
    events = []

    class Batches(keras.utils.PyDataset):
        num_batches = 2

        def __getitem__(self, index):
            return X

        def on_epoch_begin(self):
            events.append("begin")

        def on_epoch_end(self):
            events.append("end")

    assert len(_new().fit(Batches(), epochs=2, verbose=0).history["loss"]) == 2
    assert events.count("end") >= 2 and events.count("begin") >= 2  # Keras ends some that it did not begin


def test_a_column_of_one_feature_lacks_an_axis():
    model = flows.create("maf", event_shape=(1,), depth=1, hidden=4, condition_features=1)
    for x, y, name in ((X[:, 0], X[:, :1], "x"), (X[:, :1], X[:, 1], "condition")):
        with pytest.raises(ValueError, match=rf"`{name}` of .* Give a column of one feature its axis, as by x\[:"):
            model.fit(tf.data.Dataset.from_tensor_slices((x, y)).batch(8), verbose=0)
    with pytest.raises(ValueError, match="Divide it into batches"):
        model.fit(tf.data.Dataset.from_tensor_slices((X[:, :1], X[:, :1])), verbose=0)


def test_a_generator_lasts_for_one_epoch():
    model = _new()
    model.adapts = False
    with pytest.raises(ValueError, match=r"lasts for one epoch, got `epochs` 2. Pass `steps_per_epoch`"):
        model.fit((X for _ in range(4)), epochs=2)
    assert model.fit((X for _ in range(4)), epochs=2, steps_per_epoch=2, verbose=0).epoch == [0, 1]
    assert int(model.optimizer.iterations) == 4  # the batch that was looked at is trained on
    with pytest.raises(ValueError, match="got a generator that has none left"):
        model.fit((X for _ in ()), verbose=0)


def test_methods_that_take_no_data_set_say_so():
    model, data = _new(), tf.data.Dataset.from_tensor_slices(X)
    on_batches = (model.train_on_batch, model.test_on_batch, model.predict_on_batch)
    for call in (model.log_prob, model.encode, model.adapt, *on_batches):
        with pytest.raises(TypeError, match=r"`x` must be an array, got a data set\. `fit`"):
            call(data.batch(8))
    with pytest.raises(ValueError, match=r"Divide it into batches by `\.batch`"):
        model.score(data)
    with pytest.raises(ValueError, match=r"got \(32,\)\. The first dimension is the batch\.$"):
        model.log_prob(X[:, 0])


def test_a_data_set_after_another_is_refused_as_if_it_were_the_first():
    model = _new(classes=3)
    model.adapts = False
    labels, rows = (tf.data.Dataset.from_tensor_slices(part) for part in (Y, X))
    good = tf.data.Dataset.zip(rows, labels).batch(8)
    bad = good.map(lambda x, y: (x, y[:, None])), good.map(lambda x, y: (tf.tile(x, [1, 2]), y))
    for call in (model.fit, model.evaluate, model.predict):
        call(good, verbose=0)
        for data, message in zip(bad, (r"\(batch,\) integer labels", r"must be \(batch, 2\)"), strict=True):
            with pytest.raises(ValueError, match=message):  # traced anew, it failed deep inside
                call(data, verbose=0)
    with pytest.raises(ValueError, match=r"Divide it into batches by `.batch`"):
        model.fit(tf.data.Dataset.zip(rows, labels), verbose=0)
    unknown = tf.data.Dataset.from_generator(lambda: iter([(X, Y)]), output_types=(tf.float32, tf.int32))
    assert unknown.element_spec[0].shape.rank is None
    model.intake.rows(unknown, None, None)


def test_no_large_label_becomes_a_small_one():
    model = _new(classes=3)
    for dtype in ("int64", "uint32", "uint8"):
        labels = _with(Y.astype(dtype), 3, 255 if dtype == "uint8" else 2**32 - 1 if dtype == "uint32" else 2**32 + 1)
        found = model.raw.log_prob(tf.constant(X), tf.constant(labels), model.raw.as_seed(0), 1)
        assert np.flatnonzero(np.isnan(found)).tolist() == [3]


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int16", "int32", "uint32", "int64", "uint64"])
def test_pixels_of_any_integer_type(dtype):
    model, x = cases.flow("glow"), cases.flow_data("glow")[0] // 2
    np.testing.assert_array_equal(model.score(x.astype(dtype)), model.score(x))
    noisy, seeds = UniformDequantization((4, 4, 1)), model.raw.streams(tf.constant(x), model.raw.as_seed(0))
    one, other = (noisy.encode(pixels, context=Context(seeds))[0] for pixels in (x.astype(dtype), x))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(model.raw.streams(tf.constant(x.astype(dtype)), model.raw.as_seed(0)), seeds)


def test_one_condition_is_that_of_all():
    model, other = cases.flow("realnvp-condition"), cases.flow("planar-classes")
    one = [[1.5, 0.0, -1.0]]
    np.testing.assert_array_equal(model.sample(5, one, seed=1), model.sample(5, np.repeat(one, 5, axis=0), seed=1))
    for label in (2, [2], np.int64(2)):
        np.testing.assert_array_equal(other.sample(5, label, seed=1), other.sample(5, [2] * 5, seed=1))
    with pytest.raises(ValueError, match="`condition` must be"):
        model.sample(5, np.repeat(one, 2, axis=0))
    with pytest.raises(ValueError, match="labels from 3 to 3"):
        other.sample(5, 3)
    numbers, labels = r"\(5, 3\) numbers, or \(1, 3\) for all", r"\(5,\) integer labels 0 ... 2, or one of them for all"
    for flow, condition, expected in (
        (model, [1.5], rf"{numbers}, got dtype float64 and shape \(1,\)"),
        (model, 1.5, rf"{numbers}, got dtype float64 and shape \(\)"),
        (other, [1.5], rf"{labels}, got dtype float64 and shape \(1,\)"),
        (other, [2, 2], rf"{labels}, got dtype int64 and shape \(2,\)"),
    ):
        with pytest.raises(ValueError, match=f"`condition` must be {expected}"):
            flow.sample(5, condition)


@pytest.fixture
def keras_defaults():
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    "change",
    [
        lambda: keras.config.set_floatx("float64"),
        lambda: keras.config.set_floatx("float16"),
        lambda: keras.mixed_precision.set_global_policy("mixed_bfloat16"),
        lambda: keras.config.set_dtype_policy("float64"),
    ],
)
def test_what_keras_is_set_to_is_not_ignored(change, keras_defaults, eagerly):
    model = _new(standardize=True)
    change()
    for call in (lambda: _new(standardize=True), lambda: model.fit(X, verbose=0)):
        with pytest.raises(ValueError, match=r"global floatx is .* and its dtype policy .*`conditioner_dtype="):
            call()


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
@pytest.mark.parametrize("standardize", [False, True])
def test_sizes_of_batches_are_whole_numbers(size, standardize, eagerly):
    model = _new(standardize=standardize)
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match=rf"`batch_size` must be a whole number >= 1, got {size}"):
            call(X, batch_size=size, verbose=0)
    with pytest.raises(ValueError, match=rf"`validation_batch_size` must be a whole number >= 1, got {size}"):
        model.fit(X, validation_data=(X,), validation_batch_size=size, verbose=0)
    assert not int(model.adapted)


def test_what_keras_is_set_to_may_be_what_the_flow_is(keras_defaults):
    keras.config.set_floatx("float64")
    assert _new(dtype="float64").compute_dtype == "float64"
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float64")
    assert _new(dtype="float64").compute_dtype == "float64"
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert _new(conditioner_dtype="mixed_bfloat16").compute_dtype == "float32"


@pytest.mark.parametrize("wrong", [{0: 1.0}, {0: 1.0, 1: -1.0, 2: 1.0}, {0: 1.0, 1: np.nan, 2: 1.0}, [1.0, 1.0, 1.0]])
def test_weights_of_classes_are_one_for_each(wrong):
    model, (x, labels) = cases.new_flow("maf-classes"), cases.flow_data("maf-classes")
    with pytest.raises(ValueError, match=r"`class_weight` must be a dict with a finite number >= 0 for each label 0"):
        model.fit(x, labels, class_weight=wrong)


def test_score_takes_the_data_sets_of_fit():
    model, (x, condition) = cases.flow("realnvp-condition"), cases.flow_data("realnvp-condition", 16)
    data = tf.data.Dataset.from_tensor_slices((x, condition, np.ones(16, "float32"))).batch(8)
    np.testing.assert_array_equal(model.score(data, batch_size=16), model.score(x, condition, batch_size=16))
