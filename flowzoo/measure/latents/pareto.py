"""k-hat: how heavy the tail of importance weights is, and so whether a posterior can stand in for the true one.

References: Vehtari et al. 2024, Pareto smoothed importance sampling, arXiv:1507.02646; Yao et al. 2018, Yes, but did it
work?: evaluating variational inference, arXiv:1802.02538; Zhang & Stephens 2009, A new and efficient estimation method
for the generalized Pareto distribution, Technometrics 51.
"""

from __future__ import annotations

import math

import numpy as np

LEAST = 25  # draws, whose largest fifth is the tail
ROUNDING = 8.0 * float(np.finfo(np.float32).eps)  # of a log-weight, relative to its size


def k_hat(log_weights: np.ndarray) -> np.ndarray:
    """The shape of a generalised Pareto distribution fitted to the largest weights of each row: (n, draws) -> (n,).

    Weights have finite moments of orders below 1 / k. -inf where all weights are equal to rounding, as those of the
    true posterior; inf where one dwarfs all others; NaN where one is not a number.

    Args:
        log_weights: log p(x, z) - log q(z | x), of at least 25 draws.
    """
    return np.array([_of_row(row) for row in np.asarray(log_weights, np.float64)])


def most(draws: int) -> float:
    """The k-hat up to which estimates from this many weights can be trusted (Vehtari et al. 2024)."""
    return min(1.0 - 1.0 / math.log10(draws), 0.7)


def _of_row(log_weights):
    if np.isnan(log_weights).any() or log_weights.max() == np.inf:
        return math.nan
    ordered = np.sort(log_weights)
    top = ordered[-1]
    if not np.isfinite(top):
        return math.nan
    if top - ordered[0] <= ROUNDING * max(1.0, abs(top)):
        return -math.inf
    weights, count = np.exp(ordered - top), len(ordered)
    tail = min(count // 5, math.ceil(3.0 * math.sqrt(count)))
    excess = weights[-tail:] - max(weights[-tail - 1], np.finfo(np.float64).tiny)
    excess = excess[excess > 0.0]
    return _shape(excess) if len(excess) > 4 else math.inf


def _shape(excess):
    """The posterior mean of k, drawn a little to 1/2 as by ten more observations; excesses are sorted, above 0."""
    count = len(excess)
    points = 30 + int(math.sqrt(count))
    spread = 3.0 * excess[int(count / 4 + 0.5) - 1]
    theta = 1.0 / excess[-1] + (1.0 - np.sqrt(points / (np.arange(points) + 0.5))) / spread
    shapes = np.log1p(-theta[:, None] * excess).mean(axis=1)
    log_likelihood = count * (np.log(-theta / shapes) - shapes - 1.0)
    weights = np.exp(log_likelihood - log_likelihood.max())
    shape = np.log1p(-(theta @ weights) / weights.sum() * excess).mean()
    return float((count * shape + 5.0) / (count + 10.0))
