"""Diagnostics of latents against probabilistic PCA, of which all is known (Tipping & Bishop 1999), and quadrature."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import special, stats

import flowzoo
from flowzoo.bases import StandardNormal
from flowzoo.bases.conditional import GivenNetwork
from flowzoo.measure.latents import annealed, fitted, per_unit
from flowzoo.measure.latents.view import View
from flowzoo.models.flow import Flow
from flowzoo.surjections import Stochastic
from tests import cases
from tests.surjections.test_stochastic import linear

NOISE = 0.8
NUMBERS = np.random.default_rng(0)
LOADINGS = NUMBERS.normal(size=(10, 3)) @ [[0.8, 0.4, 0.3], [0.0, 0.4, 0.3], [0.0, 0.0, 0.4]]
MEAN = NUMBERS.normal(size=10)
PRECISION = np.eye(3) + LOADINGS.T @ LOADINGS / NOISE**2  # of p(z | x), whose units depend on each other
GAIN = np.linalg.solve(PRECISION, LOADINGS.T) / NOISE**2
SCALES = np.diag(PRECISION) ** -0.5  # of the best product of normals
TRUTH = stats.multivariate_normal(MEAN, LOADINGS @ LOADINGS.T + NOISE**2 * np.eye(10))
QUICK = {"steps": 0, "chains": 0}


def data(rows=40):
    return TRUTH.rvs(rows, random_state=1).astype("float32")


def model(shift=0.0, stretch=1.0):
    """With the best product of normals as posterior, or one that is off."""
    posterior = linear((3,), GAIN, shift - GAIN @ MEAN, stretch * SCALES)
    return Flow(Stochastic(posterior, linear((10,), LOADINGS, MEAN, np.full(10, NOISE))), StandardNormal((3,)))


def gap(shift, stretch):
    """KL(q(z | x) || p(z | x)), the same for all x."""
    off, variances = np.full(3, shift), (stretch * SCALES) ** 2
    quadratic = np.diag(PRECISION) @ variances + off @ PRECISION @ off
    return 0.5 * (quadratic - 3 - np.linalg.slogdet(PRECISION)[1] - np.log(variances).sum())


@pytest.fixture(scope="module")
def report():
    return flowzoo.diagnose_latents(model(0.15, 0.8), data(), draws=1000, close=16, steps=200, temperatures=40)


def test_evidence_bounds_and_gaps(report):
    truth = TRUTH.logpdf(data())
    off = report.elbo - (truth - gap(0.15, 0.8))
    assert np.abs(off).max() < 0.4 and abs(off.mean()) < 0.05
    assert (report.elbo < report.bound).all() and -0.5 < (report.bound - truth).mean() < 0.0
    np.testing.assert_allclose(report.amortisation_gap, gap(0.15, 0.8) - gap(0.0, 1.0), atol=0.4)
    assert report.amortisation_gap.mean() == pytest.approx(gap(0.15, 0.8) - gap(0.0, 1.0), abs=0.1)
    assert report.approximation_gap.mean() == pytest.approx(gap(0.0, 1.0), abs=0.1)
    errors = (report.evidence - truth[:16]) / report.evidence_error
    assert 0.4 < np.sqrt((errors**2).mean()) < 2.0 and report.evidence_error.mean() < 0.3
    assert report.finite


def test_units_are_known_in_closed_form(report):
    means = (data() - MEAN) @ GAIN.T + 0.15
    np.testing.assert_allclose(report.unit_variances, means.var(axis=0), rtol=1e-4)
    variances = (0.8 * SCALES) ** 2
    kl = 0.5 * (means**2 + variances - 1.0 - np.log(variances))
    np.testing.assert_allclose(report.unit_kl, kl.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(report.kl, kl.sum(axis=1), rtol=1e-4)
    assert report.unit_kl_is == per_unit.CLOSED and report.active.all()


def test_mutual_information_is_that_of_a_gaussian_aggregate():
    flow, x = model(0.0, 3.0), data(1000)
    found = flowzoo.diagnose_latents(flow, x, draws=25, close=1, **QUICK)
    noise = np.diag((3.0 * SCALES) ** 2)
    spread = noise + GAIN @ TRUTH.cov @ GAIN.T
    information = 0.5 * (np.linalg.slogdet(spread)[1] - np.linalg.slogdet(noise)[1])
    assert found.mutual_information == pytest.approx(information, abs=0.05) and information > 0.4
    kl = 0.5 * (np.trace(spread) - 3.0 - np.linalg.slogdet(spread)[1])  # of the aggregate and the prior
    assert found.aggregate_kl.mean() == pytest.approx(kl, abs=0.1)


def test_mutual_information_of_three_rows_is_that_of_a_mixture():
    loadings, z = LOADINGS[:, :1], np.linspace(-15.0, 15.0, 20_001)
    posterior = linear((1,), GAIN[:1], -GAIN[:1] @ MEAN, [0.5])
    flow = Flow(Stochastic(posterior, linear((10,), loadings, MEAN, np.full(10, NOISE))), StandardNormal((1,)))
    x = data(3)
    found = flowzoo.diagnose_latents(flow, x, draws=1300, close=1, **QUICK)
    each = stats.norm((x - MEAN) @ GAIN[0], 0.5).pdf(z[:, None])
    information = np.trapezoid(special.xlogy(each, each / each.mean(axis=1, keepdims=True)), z, axis=0).mean()
    assert found.mutual_information == pytest.approx(information, abs=0.05)
    assert 0.2 < information < np.log(3.0)


def test_k_hat_is_the_tail_of_a_posterior_too_narrow():
    """Weights of N(0, 1) to N(0, s^2) exceed t with a probability of the order t^(-1 / (1 - s^2))."""
    scale, gain = NOISE / np.sqrt(NOISE**2 + 1.0), np.array([[1.0 / (NOISE**2 + 1.0)]])
    for s in (0.5, 1.2):
        posterior = linear((1,), gain, [0.0], [s * scale])
        flow = Flow(Stochastic(posterior, linear((1,), np.eye(1), [0.0], [NOISE])), StandardNormal((1,)))
        x = np.random.default_rng(0).normal(size=(16, 1)).astype("float32")
        found = flowzoo.diagnose_latents(flow, x, draws=5000, close=1, **QUICK)
        if s < 1:
            assert found.k_hat.mean() == pytest.approx(1.0 - s**2, abs=0.12) and found.unreliable > 0.5
        else:
            assert found.k_hat.max() < 0.3 and found.unreliable == 0.0  # weights are bounded


class Correlated(GivenNetwork):
    """N(network(x), PRECISION^-1), whose units depend on each other."""

    FACTOR = np.linalg.cholesky(np.linalg.inv(PRECISION)).astype("float32")

    def mean(self, condition=None):
        return self._parameters(condition)

    def distribution(self, condition=None):
        from tensorflow_probability import distributions as tfd

        return tfd.MultivariateNormalTriL(self._parameters(condition), self.FACTOR)

    def _parameters(self, condition):
        return self._outputs(condition)[:, :3]

    def _drawn(self, seeds, temperature, loc):
        return loc + flowzoo.random.normal(seeds, (3,)) @ self.FACTOR.T

    def _density(self, z, loc):
        off = (z - loc) @ np.linalg.inv(self.FACTOR).T
        return -0.5 * tf.reduce_sum(off**2, axis=-1) - 1.5 * np.log(2 * np.pi) - np.log(np.diag(self.FACTOR)).sum()


def test_with_the_true_posterior_nothing_is_missing_and_units_are_known_by_their_marginals():
    posterior = Correlated((3,), 10, linear((3,), GAIN, -GAIN @ MEAN, SCALES).network)
    flow = Flow(Stochastic(posterior, linear((10,), LOADINGS, MEAN, np.full(10, NOISE))), StandardNormal((3,)))
    x = data()
    found = flowzoo.diagnose_latents(flow, x, draws=2500, close=3, steps=30, chains=3, temperatures=5)
    truth, covariance = TRUTH.logpdf(x), np.linalg.inv(PRECISION)
    for one in (found.elbo, found.bound, found.fitted_elbo, found.evidence):
        np.testing.assert_allclose(one, truth[: len(one)], atol=1e-3)
    assert (found.k_hat < 0.5).all() and found.unreliable == 0.0
    means, variances = (x - MEAN) @ GAIN.T, np.diag(covariance)
    marginal = 0.5 * (means**2 + variances - 1.0 - np.log(variances)).mean(axis=0)
    np.testing.assert_allclose(found.unit_kl, marginal, atol=0.03)
    assert found.unit_kl_is == per_unit.MARGINAL
    correlation = 0.5 * (np.log(variances).sum() - np.linalg.slogdet(covariance)[1])
    assert found.kl.mean() - found.unit_kl.sum() == pytest.approx(correlation, abs=0.1) and correlation > 0.15


def test_entropies_are_those_of_scipy():
    draws = np.random.default_rng(0).normal(size=(2, 300, 3))
    expected = stats.differential_entropy(draws, window_length=17, method="ebrahimi", axis=1)
    np.testing.assert_allclose(per_unit.entropy(tf.constant(draws)), expected, rtol=1e-6)


def test_annealing_is_that_of_quadrature_for_a_network_also_from_the_prior():
    """log p(x) of zeros and ones, given one latent, as an integral over it."""
    flow = cases.new_flow("vae", latent=1)
    x = cases.flow_data("vae", 8)[0]
    z = np.linspace(-8.0, 8.0, 2001).astype("float32")[:, None]
    log_p = np.stack([flow.likelihood(z).log_prob(one).numpy() for one in x]) + stats.norm.logpdf(z[:, 0])
    truth = special.logsumexp(log_p, axis=1) + np.log(z[1, 0] - z[0, 0])
    how = {"steps": 0, "chains": 20, "temperatures": 50, "start": "prior"}
    found = flowzoo.diagnose_latents(flow, x, draws=500, close=8, **how)
    assert (np.abs(found.evidence - truth) < 5 * found.evidence_error + 1e-4).all()
    assert found.evidence_error.max() < 0.5 and (found.elbo < truth).all()
    q = flow.posterior(x)
    density = stats.norm(q.mean(), q.stddev()).logpdf(z[:, 0])
    elbo = np.trapezoid(np.exp(density) * (log_p - density), z[:, 0], axis=1)
    assert np.abs(found.elbo - elbo).max() < 0.3 and abs((found.elbo - elbo).mean()) < 0.1


def test_a_prior_without_closed_form_is_measured_by_draws():
    flow = flowzoo.create("vae", event_shape=(6,), latent=2, hidden=8, base="logistic", standardize=False)
    x = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")
    found = flowzoo.diagnose_latents(flow, x, draws=4000, close=1, **QUICK)
    q, z = flow.posterior(x), np.linspace(-12.0, 12.0, 4001)[:, None, None]
    density = stats.norm(q.mean(), q.stddev()).logpdf(z)
    kl = np.trapezoid(np.exp(density) * (density - stats.logistic.logpdf(z)), z, axis=0)
    np.testing.assert_allclose(found.unit_kl, kl.mean(axis=0), atol=0.01)
    assert found.unit_kl_is == per_unit.DRAWN
    np.testing.assert_allclose(found.kl, kl.sum(axis=1), atol=0.1)


def test_a_prior_whose_units_depend_on_each_other_has_no_kl_by_unit():
    flow = flowzoo.create("vae", event_shape=(6,), latent=2, hidden=8, base="mixture", standardize=False)
    x = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
    found = flowzoo.diagnose_latents(flow, x, draws=25, close=1, **QUICK)
    assert found.unit_kl_is == per_unit.NONE and np.isnan(found.unit_kl).all()
    assert np.isfinite(found.kl).all() and found.finite and "not defined by unit" in str(found)


def test_conditions_units_and_float64_are_those_of_the_model():
    flow = flowzoo.create("vae", event_shape=(3,), latent=2, hidden=8, classes=3, dtype="float64", standardize=True)
    x, y = 5.0 + 3.0 * np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 3
    flow.adapt(x, y)
    found = flowzoo.diagnose_latents(flow, x, y, draws=400, close=2, steps=10, chains=2, temperatures=3)
    assert found.elbo.mean() == pytest.approx(np.mean([flow.score(x, y, seed=i).mean() for i in range(50)]), abs=0.2)
    assert found.bound.mean() == pytest.approx(flow.score(x, y, samples=400).mean(), abs=0.1)
    assert found.finite and len(found.evidence) == 2


def test_no_row_depends_on_another():
    x, flow = data(20), model(0.3)
    how = {"draws": 50, "close": 20, "steps": 5, "chains": 2, "temperatures": 3}
    one, other = (flowzoo.diagnose_latents(flow, rows, **how) for rows in (x, x[::-1]))
    for name in ("elbo", "bound", "kl", "k_hat", "fitted_elbo", "evidence"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name)[::-1])
    changed = flowzoo.diagnose_latents(flow, x, seed=1, **how | QUICK)
    assert (changed.elbo != one.elbo).all() and len(changed.fitted_elbo) == len(changed.evidence) == 0


@pytest.mark.slow
def test_xla_gives_the_same():
    flow, x = model(0.3), data(16)
    view = View(flow)
    rows, _ = view.rows(tf.constant(x), None, flow.raw.as_seed(0))

    def both():
        return annealed.log_weights(view, rows, 2, 3, "posterior"), fitted.fitted(view, rows, 3)

    for plain, compiled in zip(*map(tf.nest.flatten, (both(), tf.function(both, jit_compile=True)())), strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=1e-3, atol=1e-3)


def test_the_report_can_be_read_and_drawn(report, tmp_path):
    text = str(report)
    line = next(line for line in text.splitlines() if line.startswith("IWAE - ELBO"))
    assert line.split()[3] == f"{report.bound_gap.mean():.3f}"
    assert "of 40 rows, 1,000 draws each, in nats" in text and "of the first 16 rows:" in text
    assert "3 of 3 units are active" in text and f"<= {np.log(40):.2f}" in text
    assert Image.open(report.plot(tmp_path / "report.png")).size[0] > 100
    with pytest.raises(ValueError, match=r"`path` must end in \.png, got 'report\.pdf'"):
        report.plot("report.pdf")
    facts = report.as_dict()
    assert facts["mutual_information"] == report.mutual_information and len(facts["elbo"]) == 40


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (1, {}, "`x` must hold at least 2 rows, which are compared with each other, got 1"),
        (4, {"draws": 24}, "`draws` must be a whole number >= 25, got 24"),
        (4, {"draws": 100.0}, "`draws` must be a whole number >= 25, got 100.0"),
        (4, {"close": 0}, "`close` must be a whole number >= 1"),
        (4, {"steps": -1}, "`steps` must be a whole number >= 0"),
        (4, {"chains": -1}, "`chains` must be a whole number >= 0"),
        (4, {"temperatures": 0}, "`temperatures` must be a whole number >= 1"),
        (4, {"start": "q"}, "`start` must be one of 'posterior', 'prior', got 'q'"),
        (4, {"seed": -1}, "`seed` must be a whole number"),
    ],
)
def test_what_is_out_of_range_is_named(rows, options, message):
    with pytest.raises(ValueError, match=message):
        flowzoo.diagnose_latents(model(), data(rows).reshape(rows, 10), **options)


def test_what_has_no_latent_is_refused():
    with pytest.raises(TypeError, match="`model` must be a Flow, such as"):
        flowzoo.diagnose_latents("vae", data())
    with pytest.raises(ValueError, match=r"must end with its only stochastic layer.*`flowzoo\.diagnose` examines"):
        flowzoo.diagnose_latents(cases.flow("maf"), cases.flow_data("maf")[0])
    x = data(4)
    x[2, 1] = np.nan
    with pytest.raises(ValueError, match="`x` must be finite, got NaN or infinity in 1 of 4 rows, first in row 2"):
        flowzoo.diagnose_latents(model(), x)


@pytest.mark.parametrize("name", ["svae", "vae-flow"])
def test_other_posteriors_are_diagnosed(name):
    model, (x, _) = cases.flow(name), cases.flow_data(name)
    report = flowzoo.diagnose_latents(model, x, draws=50, close=2, steps=2, chains=2, temperatures=2)
    on_sphere = model.z_space.on_sphere  # where fitting and annealing would leave it
    assert len(report.evidence) == len(report.fitted_elbo) == (0 if on_sphere else 2)
    assert np.isfinite(report.elbo).all() and np.isfinite(report.information).all() and report.finite
    np.testing.assert_allclose(report.elbo, np.mean([model.score(x, seed=s) for s in range(50)], axis=0), atol=3.0)
