"""A VAE whose evidence, bounds and divergences are known: probabilistic PCA (Tipping & Bishop 1999) with a posterior
that is off by a shift and a scale, between normal distributions whose divergences Gil et al. 2013 list.

`python -m tests.objectives.linear_gaussian` prints the table of docs/latent.md.
"""

import dataclasses
import functools
import math

import numpy as np
import tensorflow as tf
from scipy import stats

from flowzoo.bases import StandardNormal
from flowzoo.core.context import Context
from flowzoo.core.random import row_seeds
from flowzoo.models.flow import Flow
from flowzoo.objectives.registry import objective
from flowzoo.surjections import Stochastic
from tests.surjections.test_stochastic import linear

NOISE = 0.7


@dataclasses.dataclass(frozen=True)
class LinearGaussian:
    """x = loadings z + mean + noise of D entries, z of L; the columns of the loadings are orthogonal.

    q(z | x) has the mean of the true posterior plus `shift` of its standard deviations, which are `widen` times as
    large.
    """

    features: int = 10
    latent: int = 3
    shift: tuple[float, ...] = (0.0, 0.0, 0.0)
    widen: float = 1.0

    @property
    def loadings(self):
        columns = np.random.default_rng(0).normal(size=(self.features, self.latent))
        return np.linalg.qr(columns)[0] * np.linspace(1.5, 0.5, self.latent)

    @property
    def mean(self):
        return np.linspace(-1.0, 1.0, self.features) if self.features > 1 else np.array([0.3])

    @property
    def scales(self):
        """Standard deviations of the true posterior."""
        return ((self.loadings**2).sum(axis=0) / NOISE**2 + 1.0) ** -0.5

    @property
    def gain(self):
        """The mean of the true posterior is gain (x - mean)."""
        return (self.loadings * self.scales**2).T / NOISE**2

    def flow(self):
        offset = np.array(self.shift) * self.scales - self.gain @ self.mean
        posterior = linear((self.latent,), self.gain, offset, self.widen * self.scales)
        decoder = linear((self.features,), self.loadings, self.mean, np.full(self.features, NOISE))
        return Flow(Stochastic(posterior, decoder), StandardNormal((self.latent,)))

    def truth(self):
        return stats.multivariate_normal(self.mean, self.loadings @ self.loadings.T + NOISE**2 * np.eye(self.features))

    def rows(self, count):
        return self.truth().rvs(count, random_state=0).reshape(count, self.features).astype("float32")

    def gap(self, power):
        """log(E_q[w^a]) / a - log p(x), the same for all x; for the power a = 0 the ELBO's.

        In units of the posterior's deviations p(z | x) is N(0, 1) and q(z | x) is N(shift, widen^2), per entry.
        """
        shift, width = np.array(self.shift), np.full(self.latent, self.widen)
        if power == 0:
            return -np.sum(0.5 * (width**2 + shift**2 - 1.0) - np.log(width))
        rest = (1.0 - power) / width**2
        precision = power + rest
        assert (precision > 0.0).all(), "the expectation is infinite"
        exponent = 0.5 * ((rest * shift) ** 2 / precision - rest * shift**2)
        return np.sum((power - 1.0) * np.log(width) - 0.5 * np.log(precision) + exponent) / power

    def gap_of_draws(self, power, draws):
        """The gap of the expectation of log(mean_k w_k^a) / a, up to O(1 / K^2) for K draws."""
        if power == 0:
            return self.gap(0)
        relative_variance = math.expm1(2.0 * power * (self.gap(2.0 * power) - self.gap(power)))
        return self.gap(power) - relative_variance / (2.0 * power * draws)


OFF = LinearGaussian(shift=(0.5, -0.3, 0.2), widen=1.1)


def value(flow, name, x, seed=0):
    """What the objective of this name minimises, (rows,)."""
    context = Context(row_seeds(seed, len(x)), training=True)
    return objective(name)(flow.transform, flow.base, tf.constant(x), None, context)


def _bound(form, flow, x, draws):
    return -value(flow, form.format(draws), x).numpy()


def _cubo(flow, x, draws):
    context = Context(row_seeds(0, len(x)))
    objective(f"chi(n=2, draws={draws})")(flow.transform, flow.base, tf.constant(x), None, context)
    return context.notes["cubo"].numpy()


def _samples(flow, x, draws):
    return flow.log_prob(x, samples=draws).numpy()


DRAWS = 5, 50, 500
# what is measured: how, and the power of w whose mean it is
NUMBERS = {
    "`log_prob(x, samples=K)`": (_samples, 1.0),
    **{f"`{name}`": (functools.partial(_bound, name + "(draws={})"), 1.0) for name in ("iwae", "dreg", "rws", "chi")},
    "`renyi(alpha=0.5)`": (functools.partial(_bound, "renyi(alpha=0.5, draws={})"), 0.5),
    "`renyi(alpha=1.0)`": (functools.partial(_bound, "renyi(alpha=1.0, draws={})"), 0.0),
    "`renyi(alpha=2.0)`": (functools.partial(_bound, "renyi(alpha=2.0, draws={})"), -1.0),
    'note "cubo" of `chi(n=2)`': (_cubo, 2.0),
}


def measured(model, count):
    """Of each row: log p(x); the ELBO of one draw less log p(x); and so each number, by name, for `DRAWS`."""
    x, flow = model.rows(count), model.flow()
    evidence = model.truth().logpdf(x)
    gaps = {name: [how(flow, x, draws) - evidence for draws in DRAWS] for name, (how, _) in NUMBERS.items()}
    return evidence, flow.log_prob(x).numpy() - evidence, gaps


def main():
    evidence, elbo, gaps = measured(OFF, 1000)
    names, errors = ("log p(x)", "ELBO - log p(x)"), (gap.std() / len(gap) ** 0.5 for gap in (evidence, elbo))
    for name, gap, error in zip(names, (evidence, elbo), errors, strict=True):
        print(f"{name}: {gap.mean():.3f} ± {error:.3f}")
    print("| number | K = 5 | 50 | 500 | limit |\n|---|---|---|---|---|")
    for name, found in gaps.items():
        cells = (f"{gap.mean():+.3f} ± {gap.std() / len(gap) ** 0.5:.3f}" for gap in found)
        print(f"| {name} | {' | '.join(cells)} | {OFF.gap(NUMBERS[name][1]):+.3f} |")


if __name__ == "__main__":
    main()
