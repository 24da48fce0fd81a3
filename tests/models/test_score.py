"""`score` goes by fixed batches, whose size depends on that of a row alone."""

import numpy as np
import pytest

from flowzoo.models.raw import Raw
from tests import cases


@pytest.mark.parametrize(
    ("name", "config", "rows"),
    [
        ("realnvp", {"event_shape": (2,), "hidden": 4}, 128),
        ("realnvp", {"event_shape": (499,), "hidden": 4}, 128),
        ("realnvp", {"event_shape": (500,), "hidden": 4}, 16),
        ("nice-image", {"hidden": 500}, 16),
    ],
)
def test_few_rows_are_filled_up_and_stay_the_same(name, config, rows, monkeypatch):
    flow, sizes, compute = cases.new_flow(name, **config), set(), Raw.score_graph
    x = np.random.default_rng(0).normal(size=(rows + 3, *flow.event_shape)).astype("float32")
    x = cases.case(name).data(rows + 3)[0] if flow.bits else x

    def noted(raw, x, *others):
        sizes.add(len(x))
        return compute(raw, x, *others)

    monkeypatch.setattr(Raw, "score_graph", noted)
    score = flow.score(x)
    for some in (slice(1), slice(5, 9), slice(rows, None)):
        np.testing.assert_array_equal(flow.score(x[some]), score[some])
    assert sizes == {rows}


@pytest.mark.parametrize("name", ["planar", "glow"])  # whose graphs of any number of rows round otherwise
def test_the_result_does_not_depend_on_calls_before(name):
    x = cases.case(name).data(120)[0]
    before = cases.new_flow(name).score(x)
    flow = cases.new_flow(name)
    for rows in (5, 7):
        flow.log_prob(x[:rows])
    np.testing.assert_array_equal(flow.score(x), before)
