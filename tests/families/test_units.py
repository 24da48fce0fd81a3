"""Flows on columns of any unit: what `create` puts in front, what `fit` adapts to, and what is warned of."""

import json
import re
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import flowzoo
from flowzoo import bijectors, flows
from flowzoo.core.errors import NonFiniteError
from flowzoo.core.space import Space
from tests import cases

SMALL = {"event_shape": (2,), "depth": 1, "hidden": 6}


def _data(rows=240, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, 2)) @ [[1.0, 0.5], [0.0, 0.3]]


def _losses(x, **options):
    flow = flowzoo.create("maf", **SMALL)
    flow.compile(keras.optimizers.Adam(0.01))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return flow, np.array(flow.fit(x, batch_size=60, epochs=3, shuffle=False, verbose=0, **options).history["loss"])


@pytest.fixture(scope="module")
def trained():
    """Losses on data of size 1, and the flow."""
    return _losses(_data())


@pytest.mark.parametrize("units", [(2.0**-20, 2.0**30), (1e-6, 1e6), (1e9, 1e-12)])
def test_losses_do_not_depend_on_units(trained, units):
    flow, losses = _losses(_data() * units)
    exact = all(np.log2(unit).is_integer() for unit in units)
    np.testing.assert_allclose(losses - np.log(units).sum() / 2, trained[1], rtol=0, atol=2e-6 if exact else 1e-4)
    for one, other in zip(flow.trainable_weights, trained[0].trainable_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=0 if exact else 1e-3)


def test_time_stamps_keep_their_digits(trained):
    times = 1.7e9 + 10.0 * _data()  # of half a minute, where float32 has steps of 128 s
    held_out = 1.7e9 + 10.0 * _data(seed=1)
    flow, losses = _losses(times, validation_data=(held_out,))
    np.testing.assert_allclose(losses - np.log(10.0), trained[1], atol=1e-3)
    scores = flow.log_prob(held_out).numpy()
    assert len(np.unique(scores)) == len(scores) and scores.dtype == np.float32
    np.testing.assert_allclose(flow.predict(held_out, verbose=0), scores, rtol=1e-5)
    np.testing.assert_allclose(flow.evaluate(held_out, verbose=0), -scores.mean() / 2, rtol=1e-5)
    np.testing.assert_allclose(flow.history.history["val_loss"][-1], -scores.mean() / 2, rtol=1e-5)
    z, _ = flow.encode(held_out)
    again, _ = flow.decode(z)
    assert z.dtype == tf.float32 and again.dtype == flow.data_dtype == "float64"
    np.testing.assert_allclose(again, held_out, rtol=0, atol=1e-4)
    drawn = flow.sample(64, seed=0).numpy()
    assert drawn.dtype == np.float64 and len(np.unique(drawn[:, 0])) == 64 and np.abs(drawn - 1.7e9).max() < 1e3


def test_arrays_of_float64_give_the_batches_that_keras_gives():
    x, condition = _data(), np.eye(3)[np.arange(240) % 3]
    options = {**SMALL, "condition_features": 3}
    weights = np.linspace(0.0, 1.0, 240).astype("float32")
    found = []
    for kind in ("float32", "float64"):
        flow = flowzoo.create("maf", **options)
        flow.adapt(x, condition)
        flow.compile(run_eagerly=True)
        kept = {"validation_split": 0.25, "sample_weight": weights, "shuffle": False, "verbose": 0}
        history = flow.fit(x.astype(kind), condition.astype(kind), 50, **kept).history
        found.append([*history["loss"], *history["val_loss"], flow.evaluate(x.astype(kind), condition, verbose=0)])
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_a_constant_column_is_named_and_keeps_scale_1():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3)).astype("float32")
    x[:, 1] = 0
    x[600::50, 1] = 1
    for standardize in (True, False):
        flow = flowzoo.create("maf", event_shape=(3,), depth=3, hidden=4, standardize=standardize)
        with pytest.warns(UserWarning, match=r"got columns \[1\] that are constant, or nearly: they keep scale 1"):
            flow.adapt(x[:512])
        flow.compile(run_eagerly=True)
        assert max(flow.fit(x, batch_size=400, verbose=0).history["loss"]) < 3.0  # was 1e9


def _column(kind):
    rng = np.random.default_rng(0)
    found = {
        "outlier": _spoiled(rng.normal(size=64), 1e20),
        "smaller": _spoiled(rng.normal(size=64), 1e8),
        "mostly 0": _spoiled(rng.normal(size=64) * (np.arange(64) % 3 == 1), 1e12),
        "codes": _spoiled(np.arange(64) % 5, -1e9),
        "two": _spoiled(_spoiled(rng.normal(size=64), 1e9), -1e9, 8),
        "ms among s": _spoiled(1.7e9 + 86400.0 * rng.uniform(size=2000), 1e12),
        "normal": rng.normal(size=64),
        "some deviations": _spoiled(rng.normal(size=64), 1e4),
        "Cauchy": rng.standard_cauchy(10_000),
        "lognormal": np.exp(3.0 * rng.normal(size=10_000)),
        "rare": (np.arange(10_000) == 7).astype(float),
        "rare, with rounding errors": np.where(np.arange(300) == 7, 1.0, np.where(np.arange(300) % 2, 0.3, 0.1 + 0.2)),
        "time stamps": 1.7e9 + rng.normal(size=64),
        "constant": np.full(64, 1.7e9),
    }[kind]
    return np.stack([np.random.default_rng(1).normal(size=len(found)), found], axis=1)


def _spoiled(values, value, row=7):
    return np.where(np.arange(len(values)) == row, value, values)


@pytest.mark.parametrize("kind", ["outlier", "smaller", "mostly 0", "codes", "two", "ms among s"])
def test_a_value_that_hides_all_others_is_named(kind, eagerly):
    x = _column(kind)
    message = rf"got {re.escape(f'{x[7, 1]:.6g}')} in row 7 of the \d+ rows adapted to, in column %s: .* Remove"
    flow = flowzoo.create("maf", **SMALL)
    with pytest.warns(UserWarning, match=message % "'b'"):
        flow.adapt(pd.DataFrame(x, columns=["a", "b"]))
    flow = flowzoo.create("maf", **SMALL)
    with pytest.warns(UserWarning, match=message % 1):
        flow.fit(x[:64], verbose=0)
    if abs(x[7, 1]) < 1e19:
        with pytest.warns(UserWarning, match=message % 1):
            flows.MAF(**SMALL).adapt(x.astype("float32"))


@pytest.mark.parametrize(
    "kind",
    [
        "normal",
        "some deviations",
        "Cauchy",
        "lognormal",
        "rare",
        "rare, with rounding errors",
        "time stamps",
        "constant",
    ],
)
def test_far_values_that_hide_nothing_are_not_warned_of(kind, eagerly):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", message=".*that are constant", category=UserWarning)
        flowzoo.create("maf", **SMALL).adapt(_column(kind))


def test_bounds_that_take_logarithms_bring_far_values_near(eagerly):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        flowzoo.create("maf", **SMALL, bounds=[None, [0.0, None]]).adapt(np.abs(_column("outlier")))


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e12])
def test_columns_far_from_the_rows_adapted_to_are_named(unit):
    x = np.random.default_rng(0).normal(size=(2000, 3))
    x[:, 1] *= 1e-5
    x[600::50, 1] = 1.0
    flow = flowzoo.create("maf", event_shape=(3,), depth=1, hidden=4, bounds=[None, None, [-9.0 * unit, None]])
    flow.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    flow.adapt(unit * x[:512])
    message = r"10,000 deviations .* got more in columns 1 \(1e\+05\): .*`flow.adapt\(x, force=True\)`"
    with pytest.warns(UserWarning, match=message):
        flow.fit(unit * x, batch_size=2000, verbose=0)  # losses of 1e7
    frame = pd.DataFrame(unit * x, columns=["a", "b", "c"])
    with pytest.warns(UserWarning, match=r"in columns 'b' \(1e\+05\)"):
        flow.fit(frame, batch_size=2000, verbose=0)
    data = tf.data.Dataset.from_tensor_slices(unit * x).batch(500)  # the first batch is as those adapted to
    with pytest.warns(UserWarning, match=r"in columns 'b' \(1e\+05\)"):
        flow.fit(data, verbose=0)
    flow.adapt(unit * x, force=True)
    _quietly(flow, unit * x, batch_size=2000)
    _quietly(flow, data)  # not even of `shuffle`, which nobody passed


def test_adapt_is_all_or_nothing():
    flow, x = flows.MAF(**SMALL), _data()
    before = flow.get_weights()
    with pytest.raises(ValueError, match=r"must hold at least 2 examples to adapt to, got 1. Pass a few hundred"):
        flow.adapt(x[:1])
    with pytest.raises(ValueError, match=r"`x` must be at most 1\.3e\+19 in absolute value.* overflow"):
        flow.adapt(1e20 * x)
    for weight, value in zip(flow.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)
    assert int(flow.adapted) == 0
    flow.adapt(x)
    flow = flowzoo.create("maf", **SMALL)
    flow.adapt(1e20 * x)
    assert np.isfinite(flow.log_prob(1e20 * x)).all()


class _Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return (_data(240)[60 * index : 60 * index + 60],)


def _quietly(flow, *arguments, **options):
    """`fit` that says nothing of adapting or digits."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*(adapt|digits)", category=UserWarning)
        flow.fit(*arguments, verbose=0, **options)


@pytest.mark.parametrize("kind", ["array", "tensor", "tf.data", "PyDataset"])
def test_fit_adapts_a_new_flow_and_never_again(kind):
    x = {
        "array": _data,
        "tensor": lambda: tf.constant(_data(), tf.float32),
        "tf.data": lambda: tf.data.Dataset.from_tensor_slices(_data()).batch(60).repeat(),
        "PyDataset": _Batches,
    }[kind]()
    options = {"steps_per_epoch": 1 if kind == "tf.data" else None}
    flow = flowzoo.create("maf", **SMALL)
    flow.compile(run_eagerly=True)
    with pytest.warns(UserWarning, match=r"was not adapted, so `fit` adapted it to \d+ rows of its data"):
        flow.fit(x, verbose=0, **options)
    assert int(flow.adapted) == 1
    shift = flow.transform.transforms[0].shift.numpy()
    assert np.abs(shift).max() > 0
    flow.optimizer.iterations.assign(0)
    _quietly(flow, x, **options)
    np.testing.assert_array_equal(flow.transform.transforms[0].shift, shift)


def test_train_on_batch_adapts_a_new_flow_and_never_again():
    flow, x = flowzoo.create("maf", **SMALL), _data(64)
    flow.compile("adam", run_eagerly=True)
    with pytest.warns(UserWarning, match="was not adapted, so `train_on_batch` adapted it to 64 rows of its data"):
        flow.train_on_batch(x)
    shift = flow.transform.transforms[0].shift.numpy()
    np.testing.assert_allclose(shift, x.mean(axis=0))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*adapt", category=UserWarning)
        flow.train_on_batch(x + 1.0)
        flow.compile("adam", run_eagerly=True)
        flow.train_on_batch(x + 1.0)
    np.testing.assert_array_equal(flow.transform.transforms[0].shift, shift)


def test_a_data_set_that_leaves_the_bounds_is_told_which():
    flow = flowzoo.create("realnvp", **SMALL, bounds=[[0, 1], None])
    flow.compile(run_eagerly=True)
    x = np.random.default_rng(0).uniform(0.1, 0.9, size=(8, 2))
    flow.adapt(x)
    x[3, 0] = 2.0
    data = tf.data.Dataset.from_tensors(x)
    for columns, name in ((None, "0"), (["a", "b"], "'a'")):
        flow.intake.columns = columns
        message = (
            f"inside the flow's support, got others in rows 3 of .* or reach them: {name}: \\[0.0, 1.0\\]\\. Remove"
        )
        for call in (flow.fit, flow.evaluate):
            with pytest.raises(NonFiniteError, match=message):
                call(data, verbose=0)
        with pytest.raises(ValueError, match=f"first in row 3; columns .* or reach them: {name}: "):
            flow.fit(x)


def test_labels_beyond_int64_are_named_as_the_cause():
    flow = flowzoo.create("maf", **SMALL, classes=3)
    flow.compile(run_eagerly=True)
    x, labels = _data(8), np.zeros(8, "uint64")
    flow.adapt(x, labels)
    labels[5] = 2**63 + 1
    with pytest.raises(NonFiniteError, match=r"the condition holds labels outside 0 \.\.\. 2 in rows 5 of the batch"):
        flow.fit(tf.data.Dataset.from_tensors((x, labels)), verbose=0)


def test_a_bad_row_among_those_adapted_to_is_said_to_be():
    x, labels = _data(), np.arange(240) % 3
    labels[200] = 7
    data = tf.data.Dataset.from_tensor_slices((x, labels)).batch(60)
    message = r"^In the first 240 rows of the data set, to which `fit` adapts .*labels from 0 to 7, .* in row 200\.$"
    with pytest.raises(ValueError, match=message):
        flowzoo.create("maf", **SMALL, classes=3).fit(data, verbose=0)


def test_fit_leaves_alone_what_was_trained_or_has_nothing_to_adapt():
    x = _data().astype("float32")
    trained, off = flows.MAF(**SMALL), flows.MAF(**SMALL)
    for weight in trained.trainable_weights:
        weight.assign_add(0.01 * tf.ones_like(weight))
    off.adapts = False
    for flow in (trained, off, flows.NICE((2,), hidden=4)):
        flow.compile(run_eagerly=True)
        _quietly(flow, x[:32])
        assert int(flow.adapted) == 0
    new = flows.MAF(**SMALL)
    new.compile(run_eagerly=True)
    with pytest.warns(UserWarning, match=r"never adapted, .*Call `flow.adapt\(x\)` with a few hundred examples"):
        new.fit(((x[:32],) for _ in range(1)), verbose=0)


def test_far_rows_have_no_density_and_nan_stays_nan():
    flow = flowzoo.create("maf", **SMALL)
    flow.adapt(_data())
    x = np.repeat(_data()[:1], 3, axis=0)
    x[:2, 0] = 1e60, 1e300
    np.testing.assert_array_equal(flow.log_prob(x)[:2], -np.inf)
    x[1, 0] = np.nan
    np.testing.assert_array_equal(np.isnan(flow.predict(x, verbose=0)), [False, True, False])


def test_fit_leaves_alone_a_flow_whose_weights_are_loaded(tmp_path):
    x, path = _data(), tmp_path / "trained.weights.h5"
    trained, loaded = (flowzoo.create("nice", event_shape=(2,), hidden=4) for _ in range(2))
    trained.adapts = False  # as by `train_on_batch`
    trained.compile("adam")
    _quietly(trained, x[:32])
    trained.save_weights(path)
    loaded.load_weights(path)
    loaded.compile(keras.optimizers.SGD(0.0))
    _quietly(loaded, 2 * x[:32] + 5)
    np.testing.assert_array_equal(loaded.score(x[:8]), trained.score(x[:8]))


def test_create_standardises_vectors_and_configs_say_what_they_mean():
    for family in flows.FAMILIES:
        options = cases.small(family, depth=2, hidden=4)
        flow = flowzoo.create(family, event_shape=(2,), **options)
        assert isinstance(flow.transform.transforms[0], bijectors.Standardize) and flow.data_dtype == "float64", family
        plain = flows.FAMILIES[family]((2,), **options)
        assert plain.data_dtype == "float32" and plain.get_config()["standardize"] is False
    old = {key: value for key, value in flow.get_config().items() if key not in ("standardize", "bounds")}
    assert type(flow).from_config(old).data_dtype == "float32"
    images = flowzoo.create("glow", event_shape=(4, 4, 1), levels=1, depth=1, hidden=4)
    assert images.data_dtype == "uint8" and images.get_config()["standardize"] is False
    with pytest.raises(ValueError, match="`standardize` is for vectors, leave it out for integers; got True"):
        flowzoo.create("maf", event_shape=(2,), bits=8, standardize=True)
    with pytest.raises(ValueError, match="`standardize` must be True or False, got 1"):
        flowzoo.create("maf", standardize=1)


def test_bounds_are_an_option_of_families(tmp_path):
    bounds = [[0, 1], [5.0, None]]
    x = 5.0 + np.random.default_rng(0).gamma(2.0, size=(300, 2))
    x[:, 0] = np.random.default_rng(0).beta(2.0, 5.0, 300)
    flow = flowzoo.create("realnvp", **SMALL, bounds=bounds)
    assert json.loads(json.dumps(flow.get_config()))["bounds"] == [[0.0, 1.0], [5.0, None]]
    flow.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    flow.adapt(x)
    assert np.isfinite(flow.fit(x, batch_size=100, verbose=0).history["loss"]).all()
    flow.save(tmp_path / "flow.keras")
    again = keras.models.load_model(tmp_path / "flow.keras")
    rows = np.array([[0.2, 7.0], [1.2, 7.0], [0.2, 5.0], [0.9, 1e6]])
    scores = flow.log_prob(rows).numpy()
    np.testing.assert_array_equal(again.log_prob(rows), scores)
    np.testing.assert_array_equal(np.isneginf(scores), [False, True, True, False])
    drawn = flow.sample(500, seed=0).numpy()
    assert (drawn > [0.0, 5.0]).all() and (drawn[:, 0] < 1.0).all() and np.isfinite(flow.log_prob(drawn)).all()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.where(np.isfinite(scores), flow.log_prob(rows), 0.0))
    assert all(np.isfinite(part).all() for part in tape.gradient(loss, flow.trainable_weights))
    message = (
        r"got 2 of 4 rows outside, first in row 1; columns .* bounds, or reach them: 0: \[0.0, 1.0\], 1: \[5.0, None\]"
    )
    for call in (flow.fit, flows.RealNVP(**SMALL, bounds=bounds).adapt):
        with pytest.raises(ValueError, match=message):
            call(rows)
    with pytest.raises(ValueError, match=r"`bounds` must be a list .* 2 features, got 1 entries"):
        flowzoo.create("realnvp", **SMALL, bounds=[[0, 1]])


def test_a_bounded_density_integrates_to_one():
    flow = cases.randomized(flowzoo.create("radial", event_shape=(1,), depth=3, bounds=[[-1, 2]]))
    edges = np.linspace(-1.0, 2.0, 40001)
    middle = 0.5 * (edges[1:] + edges[:-1])
    assert abs(np.exp(flow.score(middle[:, None], batch_size=8000)).sum() * (edges[1] - edges[0]) - 1.0) < 2e-3


def test_digits_that_float32_loses_are_warned_of():
    times, plain = 1.7e9 + 10.0 * _data(), flows.MAF(**SMALL)
    message = r"loses digits as it is cast from float64 to float32: the values of columns \[0 1\] lie within 1024 steps"
    with pytest.warns(UserWarning, match=message):
        plain.log_prob(times)
    plain.adapts = False
    plain.compile(run_eagerly=True)
    with pytest.warns(UserWarning, match=message), pytest.raises(NonFiniteError, match="the gradient of"):
        plain.fit(tf.data.Dataset.from_tensors(times), verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        plain.log_prob(_data() + 100.0)
        plain.log_prob(1.7e9 + 1e7 * _data())
        plain.log_prob(np.full((5, 2), 1.7e9))
        plain.log_prob(times.astype("float32"))
        flowzoo.create("maf", **SMALL).log_prob(times)


class Halves(keras.utils.PyDataset):
    """Two batches of each of some arrays."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = parts

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return tuple(part[120 * index : 120 * (index + 1)] for part in self.parts)


def _ways(*parts):
    """Data sets of some arrays."""
    yield tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0]).batch(120)
    yield Halves(*parts)
    yield (batch for batch in Halves(*parts))


def test_digits_that_conditions_lose_are_warned_of_on_every_way():
    x, times = _data(), 1.7e9 + 10.0 * _data()
    times[:, 1] = _data()[:, 1]
    flow = flowzoo.create("maf", **SMALL, condition_features=2)
    flow.adapts = False
    flow.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    message = r"`condition` loses digits as it is cast from {} to float32: the values of columns \[0\] .* Subtract an"
    calls = [*(flow.score, flow.encode, flow.train_on_batch, flow.evaluate, flow.fit), lambda x, c: flow.sample(240, c)]
    for call in calls:
        with pytest.warns(UserWarning, match=message.format("float64")):
            call(x, times)
    with pytest.warns(UserWarning, match=message.format("int64")):
        flow.score(x, times.astype("int64"))
    for call in (flow.fit, flow.evaluate, flow.predict):
        for data in _ways(x, times):
            with pytest.warns(UserWarning, match=message.format("float64")):
                call(data, verbose=0)
    plain = flows.MAF(**SMALL)
    plain.adapts = False
    plain.compile(run_eagerly=True)
    for data in _ways(times):
        with pytest.warns(UserWarning, match="`x` loses digits"):
            plain.predict(data, verbose=0)
    frame = pd.DataFrame(times, columns=["when", "what"])
    flow.adapt(x, frame)
    with pytest.warns(UserWarning, match=r"columns \['when'\]"):
        flow.score(x, frame)
    named = flowzoo.create("maf", **SMALL, condition={"a": Space((2,)), "label": Space.integers((), 3)})
    with pytest.warns(UserWarning, match=r'`condition\["a"\]` loses digits'):
        named.score(x, {"a": times, "label": np.arange(240) % 3})
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        flow.score(x, (times - times.mean(0)) / times.std(0))
        flow.score(x, np.arange(480).reshape(240, 2))


def test_warnings_point_at_the_line_that_called():
    times = 1.7e9 + 10.0 * _data()
    times[:, 1] = 1.0
    plain, unknown = flows.MAF(**SMALL), flows.MAF(**SMALL)
    for flow in (plain, unknown):
        flow.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        plain.adapt(times)
        plain.fit(times, batch_size=240, verbose=0)
        unknown.fit(np.float32(times % 10.0), verbose=0)
        unknown.predict(times * np.nan, verbose=0)
        flows.MAF(**SMALL).fit(((times[:32],) for _ in range(1)), verbose=0)
    own = [warning for warning in found if warning.category is UserWarning]
    for said in ("constant", "loses digits", "was not adapted", "never adapted", "is NaN for"):
        assert {warning.filename for warning in own if said in str(warning.message)} == {__file__}, said
