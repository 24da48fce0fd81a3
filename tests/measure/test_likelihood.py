"""`training.evaluate`: the numbers and their convention."""

import math

import numpy as np
import pytest

from flowzoo import data, flows, training
from flowzoo.measure import examples, likelihood
from tests.training import toy


def test_evaluate(images):
    flow = flows.create("realnvp", **toy.IMAGES["config"])
    measured = training.evaluate(flow, toy.IMAGES["dataset"], "test", seed=5, limit=100, batch_size=32)
    x, _ = data.fixture("fashion_mnist")
    values = -flow.log_prob(x[:100], seed=5).numpy() / (784 * math.log(2))
    assert measured["value"] == pytest.approx(values.mean(), rel=1e-5)
    assert measured["standard_error"] == pytest.approx(values.std(ddof=1) / 10, rel=1e-3)
    convention = {key: measured[key] for key in measured if key not in ("value", "standard_error")}
    assert convention == {
        "metric": "bits_per_dim",
        "kind": "lower_bound",
        "draws": 1,
        "seed": 5,
        "split": "test",
        "examples": 100,
        "non_finite": 0,
        "bits": 8,
    }
    tighter = training.evaluate(flow, toy.IMAGES["dataset"], "test", draws=8, limit=100, batch_size=100)
    assert tighter["value"] < measured["value"]


def test_labels_and_bits(images):
    x, labels = examples.arrays({"name": "fashion_mnist", "bits": 5, "labels": True}, "test", 7)
    expected, classes = data.fixture("fashion_mnist")
    np.testing.assert_array_equal(x, expected[:7] >> 3)
    np.testing.assert_array_equal(labels, classes[:7])


def test_nats_for_continuous_data():
    flow = flows.RealNVP(**toy.CIRCLE["config"])
    x = np.zeros([3, 2], np.float32)
    np.testing.assert_allclose(likelihood.losses(flow, x), -flow.log_prob(x), rtol=1e-6)
    assert likelihood.unit(flow) == "nats"
