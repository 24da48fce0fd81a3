"""What a training starts from."""

import numpy as np
import pytest

from flowzoo.errors import CheckpointError
from flowzoo.flows import create
from flowzoo.training.model import start_from

CONFIG = {"event_shape": (2,), "hidden": 4}


def test_a_conditional_flow_may_start_from_weights_without_condition(tmp_path):
    path, plain = tmp_path / "plain.weights.h5", create("realnvp", **CONFIG, depth=2)
    plain.save_weights(path)
    conditional, same = (create("realnvp", **CONFIG, depth=2, seed=1, classes=classes) for classes in (2, 0))
    x = np.array([[0.5, -1.0], [2.0, 0.0]], np.float32)
    for flow, labels in ((conditional, [0, 1]), (same, None)):
        start_from(flow, path)
        np.testing.assert_allclose(flow.score(x, labels), plain.score(x), rtol=1e-6)


@pytest.mark.parametrize("classes", [0, 2])
def test_weights_that_fit_neither_are_compared_with_the_flow(classes, tmp_path):
    path, flow = tmp_path / "deep.weights.h5", create("realnvp", **CONFIG, depth=2, classes=classes)
    deep = create("realnvp", **CONFIG, depth=3)
    deep.save_weights(path)
    with pytest.raises(CheckpointError, match=rf"{len(deep.weights)} variables and the flow has {len(flow.weights)}"):
        start_from(flow, path)
