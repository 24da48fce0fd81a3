"""`score` goes by fixed batches, whose size depends on that of a row alone."""

import numpy as np
import pytest

from flowzoo.models.raw import Raw
from tests import cases


@pytest.mark.parametrize(("features", "rows"), [(2, 128), (499, 128), (500, 16)])
def test_few_rows_are_filled_up_and_stay_the_same(features, rows, monkeypatch):
    flow, sizes, compute = cases.new_flow("realnvp", event_shape=(features,), hidden=4), set(), Raw.log_prob_graph
    x = np.random.default_rng(0).normal(size=(rows + 3, features)).astype("float32")

    def noted(raw, x, *others):
        sizes.add(len(x))
        return compute(raw, x, *others)

    monkeypatch.setattr(Raw, "log_prob_graph", noted)
    score = flow.score(x)
    for some in (slice(1), slice(5, 9), slice(rows, None)):
        np.testing.assert_array_equal(flow.score(x[some]), score[some])
    assert sizes == {rows}
