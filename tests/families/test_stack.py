"""Planar and radial flows: with a condition from one without; a hundred layers are in test_depth.py."""

import numpy as np
import pytest

from flowzoo.families import create
from flowzoo.models.weights import load_simpler
from tests import cases


@pytest.mark.parametrize("family", ["planar", "radial"])
def test_a_condition_may_come_later(family, tmp_path):
    path, plain = tmp_path / "plain.weights.h5", cases.randomized(create(family, depth=2))
    plain.save_weights(path)
    flow = create(family, depth=2, classes=3, hidden=4, seed=1)
    load_simpler(flow, path)
    x = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    np.testing.assert_allclose(flow.log_prob(x, np.array([0, 1, 2])), plain.log_prob(x), rtol=1e-5)


def test_images_are_refused():
    with pytest.raises(ValueError, match=r"PlanarFlow takes `event_shape` \(features,\), got \(2, 2, 1\)"):
        create("planar", event_shape=(2, 2, 1))
