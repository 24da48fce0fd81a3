"""k-hat against arviz and against exact quantiles, and the weights for which it is infinite or NaN."""

import numpy as np
import pytest
from scipy import stats

from flowzoo.measure.latents.pareto import k_hat, most

# python -c "import numpy as np; from arviz_stats.base.array import array_stats as a;
# print(a.psislw(-np.random.default_rng(400).normal(scale=0.3, size=400))[1])" with arviz-stats 0.8.0, which takes the
# negative of log-weights; the others likewise
ARVIZ = [(100, 1.0, 0.155233), (400, 0.3, 0.26098), (900, 2.0, 0.629609), (2500, 1.0, 0.166859), (2500, 5.0, 1.660553)]


@pytest.mark.parametrize(("draws", "scale", "expected"), ARVIZ)
def test_it_is_that_of_arviz(draws, scale, expected):
    log_weights = np.random.default_rng(draws).normal(scale=scale, size=draws)
    assert k_hat(log_weights[None] - 90.0) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", [-0.3, 0.2, 0.7, 1.5])
def test_it_is_the_shape_of_a_pareto_distribution(shape):
    weights = 1.0 + stats.genpareto(shape).ppf((np.arange(20_000) + 0.5) / 20_000)
    assert k_hat(np.log(weights)[None])[0] == pytest.approx(shape, abs=0.05)


def test_rows_without_a_tail():
    constant, one, broken, none = np.full(100, -87.0), np.zeros(100), np.zeros(100), np.full(100, -np.inf)
    one[3], broken[5] = 900.0, np.nan
    rounded = constant + 1e-5 * np.arange(100) / 100
    found = k_hat(np.stack([constant, rounded, one, broken, none]))
    np.testing.assert_array_equal(found, [-np.inf, -np.inf, np.inf, np.nan, np.nan])


def test_few_draws_are_trusted_less():
    assert most(100) == 0.5 and most(10**6) == 0.7  # Vehtari et al. 2024, equation 13
