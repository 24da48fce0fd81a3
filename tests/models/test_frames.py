"""Data frames do what arrays do: the same numbers, checked by the names of their columns."""

import copy
import sys

import keras
import numpy as np
import pandas as pd
import pytest

from flowzoo import flows
from flowzoo.core.space import Space
from flowzoo.models import frames
from tests import cases

X = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
Y = np.arange(32) % 3
FRAME = pd.DataFrame(X, columns=["a", "b"])

pytestmark = pytest.mark.usefixtures("eagerly")


def _new(**options):
    return cases.randomized(flows.create("realnvp", event_shape=(2,), depth=1, hidden=4, **options))


def test_every_method_takes_what_arrays_give():
    model, labels = _new(classes=3), pd.Series(Y, name="kind")
    expected = model.score(X, Y)
    np.testing.assert_array_equal(model.score(FRAME, labels), expected)
    np.testing.assert_array_equal(model.log_prob(FRAME, labels), model.log_prob(X, Y))
    np.testing.assert_array_equal(model.encode(FRAME, labels)[0], model.encode(X, Y)[0])
    np.testing.assert_array_equal(model.sample(32, labels, seed=1), model.sample(32, Y, seed=1))
    one, other = _new(classes=3), _new(classes=3)
    for flow, x, y, weights in ((one, X, Y, np.ones(32)), (other, FRAME, labels, pd.Series(np.ones(32)))):
        flow.adapt(x, y)
        flow.fit(x, y, sample_weight=weights, validation_data=(x, y), shuffle=False, verbose=0)
        flow.train_on_batch(x, y, weights)
        flow.losses_seen = [flow.evaluate(x, y, verbose=0), flow.test_on_batch(x, y)]
    assert one.losses_seen == other.losses_seen
    np.testing.assert_array_equal(one.score(X, Y), other.score(X, Y))
    plain = _new()
    np.testing.assert_array_equal(plain.predict(FRAME, verbose=0), plain.predict(X, verbose=0))
    np.testing.assert_array_equal(plain.predict_on_batch(FRAME), plain.predict_on_batch(X))


def test_rows_are_paired_only_where_their_index_is_the_same():
    model, labels, weights = _new(classes=3), pd.Series(Y), pd.Series(np.ones(32))
    moved = labels.sample(frac=1.0, random_state=0)
    message = r"must have the index of `x`, row for row, got \d+ beside 0 in row 0\. .*`\.loc\[x\.index\]`.*to_numpy"
    for call in (model.log_prob, model.score, model.encode, model.adapt, model.train_on_batch, model.evaluate):
        with pytest.raises(ValueError, match=f"`condition` {message}"):
            call(FRAME, moved)
    with pytest.raises(ValueError, match=f"`sample_weight` {message}"):
        model.fit(FRAME, labels, sample_weight=weights[moved.index])
    with pytest.raises(ValueError, match=f"`validation condition` {message.replace('`x`', '`validation x`', 1)}"):
        model.fit(FRAME, labels, validation_data=(FRAME, moved))
    gaps = labels.set_axis(pd.array([0, None, *range(2, 32)], "Int64"))
    with pytest.raises(ValueError, match=r"`condition` must have the index of `x`, .* got <NA> beside 1 in row 1\."):
        model.score(FRAME, gaps)
    expected = model.score(X, Y)
    np.testing.assert_array_equal(model.score(FRAME, moved.loc[FRAME.index]), expected)
    np.testing.assert_array_equal(model.score(FRAME, moved.sort_index().to_numpy()), expected)
    np.testing.assert_array_equal(model.score(X, labels.set_axis(range(32, 64))), expected)


def test_a_series_is_no_frame_of_several_columns():
    model, wanted = _new(condition_features=2), r"`{}` must have 2 columns, got the Series 'a'\. .*df\[\['a', 'b'\]\]"
    with pytest.raises(ValueError, match=wanted.format("x")):
        model.score(FRAME["a"], FRAME)
    with pytest.raises(ValueError, match=wanted.format("condition")):
        model.score(FRAME, FRAME["a"])


@pytest.mark.parametrize("change", [pd.DataFrame.convert_dtypes, lambda frame: frame.astype("Float64")])
def test_nullable_numbers_are_numbers(change):
    np.testing.assert_array_equal(_new().score(change(FRAME)), _new().score(X))


def test_columns_of_several_types_become_one():
    mixed = pd.DataFrame({"a": pd.array(Y, "Int64"), "b": pd.array(Y > 0, "boolean"), "c": X[:, 0]})
    model = flows.create("maf", event_shape=(3,), depth=1, hidden=4)
    expected = np.stack([Y, Y > 0, X[:, 0]], axis=1).astype("float32")
    np.testing.assert_array_equal(model.score(mixed), model.score(expected))


def test_columns_of_whole_numbers_are_numbers():
    whole, model = pd.DataFrame({"a": Y, "b": Y > 0}), _new()
    expected = whole.to_numpy("float64")
    np.testing.assert_array_equal(model.score(whole), model.score(expected))
    np.testing.assert_array_equal(model.score(whole.convert_dtypes()), model.score(expected))
    assert np.isfinite(model.fit(whole.astype("int8"), verbose=0).history["loss"]).all()
    with pytest.raises(
        TypeError, match=r"`x` must hold floating-point numbers, got dtype int64. Cast it, as by np.asarray\(x"
    ):
        model.score(whole.to_numpy("int64"))
    pixels = flows.create("maf", event_shape=(2,), bits=8, depth=1, hidden=4)
    np.testing.assert_array_equal(
        pixels.score(whole[["a", "a"]].set_axis(["a", "b"], axis=1)), pixels.score(np.stack([Y, Y], 1))
    )


def test_a_series_is_the_only_column():
    model = flows.create("maf", event_shape=(1,), depth=1, hidden=4)
    np.testing.assert_array_equal(model.score(FRAME["a"]), model.score(X[:, :1]))
    with pytest.raises(ValueError, match=r"`x` must have shape \(batch, 1\), got \(32,\).*pass x\[:, None\]"):
        model.score(X[:, 0])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            FRAME.mask(np.isin(np.arange(64).reshape(32, 2), (10, 11))),
            r"nothing in 1 of 32 rows, first in row 5, in the columns \['a', 'b'\]",
        ),
        (FRAME.convert_dtypes().assign(b=pd.array([None] + [1.5] * 31, "Float64")), r"first in row 0, .* \['b'\]"),
        (FRAME.replace(X[3, 1], np.inf).set_index(np.arange(32) + 100), r"row 3 \(index 103\), .* \['b'\]"),
        (FRAME.replace(X[3, 1], np.inf).set_axis(pd.array([None] * 32, "Int64")), r"row 3 \(index <NA>\), .* \['b'\]"),
        (FRAME.assign(b="text"), "`x` must hold numbers, got dtype (object|str) in column 'b'.*to_numeric"),
        (FRAME.assign(b=pd.Categorical(Y)), r"got dtype category in column 'b'.*\.cat\.codes"),
        (FRAME.assign(b=pd.Timestamp("2020-01-01")), "got dtype datetime.* in column 'b'. Give times as numbers"),
        (pd.DataFrame(X, columns=["a", "a"]), "columns of different names, got 'a' more than once"),
        (FRAME.assign(c=1.0), r"must have shape \(batch, 2\), got \(32, 3\)"),
    ],
)
def test_what_is_wrong_is_named(frame, message):
    model = _new()
    before = [weight.numpy() for weight in model.weights]
    calls = [model.score, model.adapt, lambda x: model.fit(x, verbose=0), model.evaluate, model.train_on_batch]
    gaps = "row " in message  # `predict` keeps such rows, as the test below has it
    for call in [*calls, *([] if gaps else [model.predict])]:
        with pytest.raises((ValueError, TypeError), match=message):
            call(frame)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights, strict=True)) and model.columns is None


def test_columns_of_named_conditions_are_known_by_name(tmp_path):
    model = _new(condition={"label": Space.integers((), 3), "v": Space((2,)), "t": Space((1,))})
    v, label = pd.DataFrame(X, columns=["u", "w"]), pd.Series(Y, name="kind")
    given = {"label": label, "v": v, "t": FRAME["a"]}
    model.adapt(FRAME, given)
    model.save(tmp_path / "flow.keras")
    for flow in (model, keras.models.load_model(tmp_path / "flow.keras"), copy.deepcopy(model)):
        expected = flow.score(X, {"label": Y, "v": X, "t": X[:, :1]})
        for change in ({}, {"v": v[["w", "u"]]}, {"label": label.rename("class")}, {"t": FRAME["a"].rename(None)}):
            np.testing.assert_array_equal(flow.score(FRAME, given | change), expected)
        for name, part, message in (
            ("v", v.rename(columns={"u": "z"}), r"columns \['u', 'w'\] .* got \['z', 'w'\]"),
            ("t", FRAME["b"], r"columns \['a'\] .* got \['b'\]"),
        ):
            for call in (flow.score, flow.evaluate, flow.fit):
                with pytest.raises(ValueError, match=rf'`condition\["{name}"\]` must have the {message}'):
                    call(FRAME, given | {name: part})


def test_the_name_of_a_series_is_that_of_its_column():
    model = flows.create("maf", event_shape=(1,), depth=1, hidden=4, condition_features=1)
    model.adapt(FRAME["a"], FRAME["b"])
    np.testing.assert_array_equal(model.score(FRAME[["a"]], FRAME["b"]), model.score(X[:, :1], X[:, 1:]))
    with pytest.raises(ValueError, match=r"`x` must have the columns \['a'\] that the flow was fitted on, got \['b'\]"):
        model.score(FRAME["b"], FRAME["b"])
    with pytest.raises(ValueError, match=r"`condition` must have the columns \['b'\] .* got \['a'\]"):
        model.score(FRAME["a"], FRAME["a"])


def test_columns_are_known_by_name(tmp_path):
    model = _new(condition_features=2)
    condition = pd.DataFrame(X, columns=["u", "v"])
    assert model.columns is None
    model.fit(FRAME, condition, verbose=0)
    model.save(tmp_path / "flow.keras")
    for flow in (model, keras.models.load_model(tmp_path / "flow.keras")):
        assert list(flow.columns) == ["a", "b"] and list(flow.condition_columns) == ["u", "v"]
        expected = flow.score(X, X)
        np.testing.assert_array_equal(flow.score(FRAME[["b", "a"]], condition[["v", "u"]]), expected)
        np.testing.assert_array_equal(flow.score(pd.DataFrame(X), X), expected)  # without names it counts as an array
        with pytest.raises(
            ValueError, match=r"columns \['a', 'b'\] .* got \['a', 'c'\]: missing \['b'\], extra \['c'\]"
        ):
            flow.score(FRAME.rename(columns={"b": "c"}), condition)
        with pytest.raises(ValueError, match=r"`condition` must have the columns \['u', 'v'\]"):
            flow.score(FRAME, FRAME)


def test_a_call_takes_columns_by_name():
    model, named = _new(condition_features=2), _new(condition={"p": Space((2,)), "label": Space.integers((), 3)})
    other = FRAME.rename(columns={"a": "c", "b": "d"})
    model.adapt(FRAME, other, force=True)
    expected = model.log_prob(X, X)
    np.testing.assert_array_equal(model(X, X), expected)
    np.testing.assert_array_equal(model(FRAME[["b", "a"]], condition=other[["d", "c"]]), expected)
    np.testing.assert_array_equal(model(X, other[["d", "c"]], training=False), expected)
    with pytest.raises(ValueError, match=r"must have the columns \['a', 'b'\] .*, got \['c', 'd'\]"):
        model(other, other)
    named.adapt(FRAME, {"p": other, "label": Y}, force=True)
    np.testing.assert_array_equal(
        named(FRAME, {"p": other[["d", "c"]], "label": Y}), named.log_prob(X, {"p": X, "label": Y})
    )
    for x, condition in ((np.ma.masked_greater(X, 1.0), X), (X, np.ma.masked_greater(X, 1.0))):
        with pytest.raises(ValueError, match="must have no masked entries, got"):
            model(x, condition)


def test_adapt_learns_the_columns():
    model = _new()
    model.adapt(FRAME)
    assert list(model.columns) == ["a", "b"]
    with pytest.raises(ValueError, match="missing"):
        model.fit(FRAME.rename(columns={"b": "c"}), verbose=0)


def test_columns_of_validation_data_go_by_the_names_of_x():
    swapped = FRAME[["b", "a"]]
    for held_out in (swapped, (swapped,)):
        model = _new()
        history = model.fit(FRAME, validation_data=held_out, verbose=0).history
        np.testing.assert_allclose(history["val_loss"][0], model.evaluate(X, verbose=0), rtol=1e-5)
    model = _new()
    with pytest.raises(ValueError, match=r"`validation x` must have the columns \['a', 'b'\] .* missing \['b'\]"):
        model.fit(FRAME, validation_data=FRAME.rename(columns={"b": "z"}), verbose=0)
    assert model.columns is None  # as if nothing had been given


def test_predict_keeps_rows_of_frames_that_hold_nothing():
    model = _new()
    model.adapt(X)
    broken = FRAME.astype("Float64")
    broken.iloc[3, 0] = pd.NA
    for frame in (broken, broken.astype("float64")):
        with pytest.warns(UserWarning, match=r"log p\(x\) is NaN for 1 of 32 rows: 3"):
            found = model.predict(frame, verbose=0)
        assert np.flatnonzero(np.isnan(found)).tolist() == [3]
        with pytest.raises(ValueError, match="`x` must be finite"):
            model.score(frame)


def test_an_objective_takes_columns_by_name(eagerly):
    model = _new()
    model.adapt(FRAME)
    np.testing.assert_array_equal(model.objective(FRAME[["b", "a"]]), model.objective(FRAME))


def test_names_of_which_some_are_numbers_are_names():
    model = _new()
    model.adapt(FRAME)
    with pytest.raises(ValueError, match=r"must have the columns \['a', 'b'\] .* got \['1', 'a'\]"):
        model.score(FRAME.rename(columns={"b": 1})[[1, "a"]])


@pytest.mark.parametrize("names", [["a", 1], [10, 20], [0.5, pd.Timestamp("2020-01-01")]])
def test_names_that_are_no_texts_are_names(names):
    model, frame = _new(), pd.DataFrame(X, columns=names)
    model.adapt(frame)
    assert model.columns == [str(name) for name in names]
    np.testing.assert_array_equal(model.score(frame[names[::-1]]), model.score(frame))
    with pytest.raises(ValueError, match="more than once"):
        model.score(pd.DataFrame(X, columns=[names[0], str(names[0])]))


def test_names_that_pandas_counted_are_names_only_beside_such():
    counted, frame = _new(), pd.DataFrame(X)
    counted.adapt(frame)
    assert counted.columns is None
    swapped = _new()
    swapped.adapt(frame[[1, 0]])
    assert swapped.columns == ["1", "0"]
    np.testing.assert_array_equal(swapped.score(frame), swapped.score(X[:, ::-1]))


def test_pandas_is_not_imported_to_know_a_frame(monkeypatch):
    monkeypatch.delitem(sys.modules, "pandas")
    assert not frames.is_frame(X) and frames.column_names(X) is None and "pandas" not in sys.modules


def test_several_levels_of_names_are_refused():
    frame = pd.DataFrame(X, columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    with pytest.raises(ValueError, match=r"one level of column names, got 2. Join them first"):
        _new().score(frame)
