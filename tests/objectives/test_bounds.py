"""Every bound on one linear-Gaussian VAE: its side of the evidence, its expectation, and where draws move it."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from tests.objectives.linear_gaussian import DRAWS, NUMBERS, OFF, LinearGaussian, measured

LIMITS = {name: OFF.gap(power) for name, (_, power) in NUMBERS.items()}


@pytest.fixture(scope="module")
def found():
    return measured(OFF, 1000)


def mean_and_error(gap):
    return gap.mean(), gap.std() / len(gap) ** 0.5


@pytest.mark.parametrize("power", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_the_closed_forms_are_those_of_quadrature(power):
    model = LinearGaussian(1, 1, (0.5,), 1.1)
    p, q = stats.norm(), stats.norm(0.5, 1.1)

    def of_weights(z):
        ratio = p.logpdf(z) - q.logpdf(z)
        return q.pdf(z) * (math.exp(power * ratio) if power else ratio)

    mean = integrate.quad(of_weights, -12.0, 12.0)[0]
    assert model.gap(power) == pytest.approx(math.log(mean) / power if power else mean, abs=1e-9)


def test_the_elbo_is_that_of_the_closed_form(found):
    mean, error = mean_and_error(found[1])
    assert abs(mean - OFF.gap(0)) < 5.0 * error < 0.2
    assert mean < -5.0 * error


@pytest.mark.parametrize("name", NUMBERS)
def test_each_has_the_expectation_of_so_many_draws(name, found):
    for draws, gap in list(zip(DRAWS, found[2][name], strict=True))[1:]:
        mean, error = mean_and_error(gap)
        assert abs(mean - OFF.gap_of_draws(NUMBERS[name][1], draws)) < 5.0 * error + 2.0 / draws**2


@pytest.mark.parametrize("name", NUMBERS)
def test_draws_move_each_from_the_elbo_towards_its_limit(name, found):
    (few, _), (more, _), (most, error) = (mean_and_error(gap) for gap in found[2][name])
    limit = LIMITS[name]
    if limit == OFF.gap(0):  # a mean of ELBOs
        assert few == pytest.approx(limit, abs=0.05) and most == pytest.approx(limit, abs=0.01)
        return
    way = math.copysign(1.0, limit - OFF.gap(0))
    assert way * OFF.gap(0) < way * few < way * more < way * most < way * limit + 5.0 * error
    assert abs(most - limit) < 0.1 * abs(few - limit)


@pytest.mark.parametrize("name", NUMBERS)
def test_each_is_on_its_side_of_the_evidence(name, found):
    gaps = [mean_and_error(gap) for gap in found[2][name]]
    if "cubo" in name:
        assert all(mean > 5.0 * error for mean, error in gaps)
    elif LIMITS[name] < 0.0:
        assert all(mean < -5.0 * error for mean, error in gaps)
    else:  # it is the evidence that they rise to
        assert LIMITS[name] == pytest.approx(0.0, abs=1e-12)
        assert gaps[0][0] < -2.0 * gaps[0][1] and all(mean < 3.0 * error for mean, error in gaps)


def test_few_draws_leave_cubo_at_the_elbo_but_its_exponential_is_unbiased(found):
    name = next(name for name in NUMBERS if "cubo" in name)
    evidence, elbo = found[:2]
    one = NUMBERS[name][0](OFF.flow(), OFF.rows(1000), 1) - evidence
    assert one.mean() == pytest.approx(elbo.mean(), abs=5.0 * math.hypot(one.std(), elbo.std()) / 1000**0.5)
    for gap in (one, *found[2][name]):
        mean, error = mean_and_error(np.exp(2.0 * gap))
        assert abs(mean - math.exp(2.0 * LIMITS[name])) < 5.0 * error < 1.0


def test_with_the_true_posterior_each_draw_of_each_is_the_evidence():
    _, elbo, gaps = measured(LinearGaussian(), 20)
    for gap in (elbo, *(gap for row in gaps.values() for gap in row)):
        np.testing.assert_allclose(gap, 0.0, atol=2e-4)
