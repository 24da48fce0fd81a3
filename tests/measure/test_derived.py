"""Likelihoods in the terms of other papers."""

import types

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.core.errors import PresetError
from flowzoo.measure.derived import LOGIT, UNIT, restated
from flowzoo.measure.likelihood import losses
from tests import cases


def preset(*metrics):
    published = [{"metric": metric} for metric in metrics]
    return types.SimpleNamespace(dataset={"name": "mnist", "bits": 8}, published=published, source="a test")


def test_nats_in_the_unit_cube_and_in_logit_space_are_those_of_the_noisy_data():
    flow, (x, _) = cases.flow("maf-image"), cases.flow_data("maf-image")
    values = losses(flow, x, seed=3)
    found = restated(preset("bits_per_dim", LOGIT), flow, x, None, values, seed=3)
    u = flow.raw.dequantized(x, None, flow.raw.as_seed(3))
    z, log_det = flow.bijection.encode(u)
    unit = flow.base.log_prob(z) + log_det
    y = 0.05 + 0.9 * tf.cast(u, tf.float64)
    slopes = np.log(0.9 / (y * (1.0 - y))).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found[UNIT], unit, rtol=1e-4)
    np.testing.assert_allclose(found[LOGIT], unit - slopes, rtol=1e-4, atol=1e-3)
    assert restated(preset("bits_per_dim"), flow, x, None, values) == {}
    assert set(restated(preset(UNIT), flow, x, None, values)) == {UNIT}


def test_without_a_logit_there_is_no_logit_space():
    flow, (x, _) = cases.flow("nice-image"), cases.flow_data("nice-image")
    with pytest.raises(PresetError, match="a test: `published` has log_likelihood_logit, but the flow does not begin"):
        restated(preset(LOGIT), flow, x, None, losses(flow, x))


def test_the_evaluations_of_continuous_flows_are_counted():
    flow, (x, condition) = cases.flow("cnf-classes"), cases.flow_data("cnf-classes")
    found = restated(preset(), flow, x, condition, flow.score(x, condition))
    assert set(found) == {"evaluations"} and found["evaluations"].shape == (len(x),)
    np.testing.assert_array_equal(found["evaluations"], flow.solve_counts(x, condition))
