import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import scipy.stats

from flowzoo.measure.likelihood_lpc import fitted


def burg(y, order):
    """Weights of the samples before, the nearest first, and the variance of the errors."""
    weights, variance = np.zeros(0), np.mean(y**2)
    for k in range(order):
        whole = np.concatenate([[1.0], -weights])
        forward = [whole @ y[t - k : t + 1][::-1] for t in range(k + 1, len(y))]
        backward = [whole @ y[t - k - 1 : t] for t in range(k + 1, len(y))]
        reflection = 2.0 * np.dot(forward, backward) / (np.dot(forward, forward) + np.dot(backward, backward))
        weights = np.append(weights - reflection * weights[::-1], reflection)
        variance *= 1.0 - reflection**2
    return weights, variance


def test_it_is_the_density_of_the_stationary_gaussian_of_burgs_method():
    frames = np.random.default_rng(0).standard_normal((3, 20)).cumsum(axis=1) + 5.0
    for frame, value in zip(frames, fitted(frames, 3), strict=True):
        y = frame - frame.mean()
        weights, variance = burg(y, 3)
        response = scipy.signal.lfilter([1.0], [1.0, *-weights], np.eye(1, 4000)[0])
        lags = variance * np.correlate(response, response, "full")[3999:4019]
        expected = scipy.stats.multivariate_normal(np.zeros(20), scipy.linalg.toeplitz(lags)).logpdf(y) / 20
        assert value == pytest.approx(expected, rel=1e-6)


def test_on_an_autoregression_it_comes_near_its_entropy_rate():
    noise = np.random.default_rng(1).normal(size=200_256, scale=0.01)
    y = scipy.signal.lfilter([1.0], [1.0, -1.6, 0.81], noise)[256:]
    rate = -0.5 * np.log(2.0 * np.pi * np.e * 0.01**2)
    assert fitted(y[None], 16)[0] == pytest.approx(rate, abs=0.01)  # a fit to all is no better than the truth
    frames = fitted(y[: 200_000 // 256 * 256].reshape(-1, 256), 16).mean()
    assert rate < frames < rate + 0.06  # each frame has 17 numbers of its own, which gains some 17 / 512 nats
    assert fitted(y.reshape(1, -1), 1)[0] < rate - 0.3  # the first lag alone does not tell it
