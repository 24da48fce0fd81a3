"""Numbers beside the likelihood: in the terms of other papers, and what a continuous flow costs."""

import types

import numpy as np
import pytest
import tensorflow as tf

from flowzoo.core.errors import PresetError
from flowzoo.measure.evaluations import Evaluations
from flowzoo.measure.likelihood_logit import LogitLikelihood
from flowzoo.measure.likelihood_unit import UnitLikelihood
from flowzoo.measure.subject import Subject
from tests import cases

UNIT, LOGIT = UnitLikelihood(), LogitLikelihood()


def subject(name, *published, seed=0):
    published = [{"metric": metric} for metric in published]
    preset = types.SimpleNamespace(dataset={"name": "mnist", "bits": 8}, published=published, source="a test")
    return Subject(preset, cases.flow(name), {"test": cases.flow_data(name)}, seed=seed)


def test_nats_in_the_unit_cube_and_in_logit_space_are_those_of_the_noisy_data():
    noisy = subject("maf-image", "bits_per_dim", LOGIT.name, seed=3)
    flow, (x, _) = noisy.flow, noisy.test
    u = flow.raw.dequantized(x, None, flow.raw.as_seed(3))
    z, log_det = flow.bijection.encode(u)
    unit = flow.base.log_prob(z) + log_det
    y = 0.05 + 0.9 * tf.cast(u, tf.float64)
    slopes = np.log(0.9 / (y * (1.0 - y))).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(UNIT.values(noisy), unit, rtol=1e-4)
    np.testing.assert_allclose(LOGIT.values(noisy), unit - slopes, rtol=1e-4, atol=1e-3)
    assert LOGIT.measure(noisy).value == pytest.approx(LOGIT.values(noisy).mean())


@pytest.mark.parametrize(
    ("published", "unit", "logit"),
    [("bits_per_dim", False, False), ("log_likelihood_unit", True, False), ("log_likelihood_logit", True, True)],
)
def test_what_is_measured_is_what_is_published(published, unit, logit):
    given = subject("maf-image", published)
    assert (UNIT.applies(given), LOGIT.applies(given)) == (unit, logit)


def test_without_a_logit_there_is_no_logit_space():
    with pytest.raises(PresetError, match="a test: `published` has log_likelihood_logit, but the flow does not begin"):
        LOGIT.measure(subject("nice-image", LOGIT.name))


def test_the_evaluations_of_continuous_flows_are_counted():
    counted = subject("cnf-classes")
    assert Evaluations().applies(counted) and not Evaluations().applies(subject("nice-image"))
    expected = counted.flow.solve_counts(*counted.test).mean(dtype=np.float64)
    assert Evaluations().measure(counted).value == pytest.approx(expected)
