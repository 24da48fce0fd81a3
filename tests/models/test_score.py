"""`score` goes by blocks of one size, so that a row gets the same bits wherever it stands."""

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.models.raw import Raw
from tests import cases


@pytest.mark.parametrize("name", ["planar", "glow", "nsf-ar-classes", "vae"])
def test_few_rows_are_filled_up_to_sixteen_and_stay_the_same(name, monkeypatch):
    flow, sizes, compute = cases.new_flow(name), [], Raw.log_prob
    x, condition = cases.case(name).data(37)

    def noted(raw, x, *others):
        sizes.append(x.shape[0])
        return compute(raw, x, *others)

    def score(rows):
        return flow.score(x[rows], None if condition is None else condition[rows])

    monkeypatch.setattr(Raw, "log_prob", noted)
    found = score(slice(None))
    for rows in (slice(1), slice(5, 9), slice(3, 35), slice(16, None)):
        np.testing.assert_array_equal(score(rows), found[rows])
    assert sizes == [16]  # one graph, of blocks of 16


def test_many_rows_go_by_several_calls(monkeypatch):
    flow, x = cases.new_flow("planar"), cases.case("planar").data(100)[0]
    found, rows, compute = flow.score(x), [], Raw.score
    monkeypatch.setattr("flowzoo.models.flow.CALL", 64)

    def noted(raw, x, *others, **how):
        rows.append(len(x))
        return compute(raw, x, *others, **how)

    monkeypatch.setattr(Raw, "score", noted)
    np.testing.assert_array_equal(flow.score(x), found)
    np.testing.assert_array_equal(flow.score(tf.data.Dataset.from_tensor_slices(x).batch(7)), found)
    assert rows == 2 * [32, 32, 32, 4]


@pytest.mark.parametrize("name", ["planar", "glow"])  # whose graphs of any number of rows round otherwise
def test_the_result_does_not_depend_on_calls_before(name):
    x = cases.case(name).data(120)[0]
    before = cases.new_flow(name).score(x)
    flow = cases.new_flow(name)
    for rows in (5, 7):
        flow.log_prob(x[:rows])
    np.testing.assert_array_equal(flow.score(x), before)
