"""The measurements: each notices what it is there for."""

import math

import numpy as np
import pytest

import flowzoo
from flowzoo.measure import log_det_error, round_trip
from flowzoo.measure.measured import Measured


@pytest.fixture(scope="module")
def flow(published):
    return flowzoo.load(published)


@pytest.fixture(scope="module")
def images():
    return flowzoo.data.fixture("fashion_mnist")[0]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_mean_and_error():
    found = Measured.mean(np.array([1.0, 2.0, 3.0], np.float32))
    assert (found.value, found.standard_error) == pytest.approx((2.0, 1.0 / math.sqrt(3.0)))
    assert Measured.mean(np.array([2.0], np.float32)) == Measured(2.0)


def test_reconstruction_error_keeps_nan(flow, images, monkeypatch):
    assert 0.0 < round_trip.reconstruction_error(flow, images[:70]) < 1e-4
    monkeypatch.setattr(flow, "reconstruction_error", lambda x, condition: np.array([0.0, np.nan]))
    assert math.isnan(round_trip.reconstruction_error(flow, images[:70]))


def test_log_det_agrees_with_autodiff_and_a_wrong_one_shows(flow, images, monkeypatch):
    assert log_det_error.log_det_error(flow, images[:1]) < 1e-3
    layer = next(layer for layer in flow._flatten_layers() if type(layer).__name__ == "ActNorm")
    right = layer._encode
    monkeypatch.setattr(layer, "_encode", lambda x, condition: (right(x, condition)[0], right(x, condition)[1] + 1.0))
    assert log_det_error.log_det_error(flow, images[:1]) == pytest.approx(1.0, abs=0.01)


def test_continuous_vectors_are_measured_too():
    flow = flowzoo.create("realnvp", event_shape=(3,), depth=2, hidden=4, seed=1)
    noise = np.random.default_rng(0)
    for weight in flow.trainable_weights:
        weight.assign_add(0.3 * noise.standard_normal(weight.shape).astype("float32"))
    x = noise.standard_normal((5, 3)).astype("float32")
    assert log_det_error.log_det_error(flow, x[:1]) < 1e-4
    assert round_trip.reconstruction_error(flow, x) < 1e-4
