"""Two-dimensional targets with known density: p(x) = exp(-U(x)) / Z on the box [-4, 4]^2.

U2, U3 and U4 have unbounded ridges, so only the box makes them densities; it cuts off a negligible part of U1, the
moons and the Gaussians, and the checkerboard fills it.

Reference: Rezende & Mohamed 2015, Variational inference with normalizing flows, arXiv:1505.05770, table 1.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

SIDE = 4.0  # the box is [-SIDE, SIDE]^2
NODES = 1000  # of the midpoint rule, on each axis
CHUNK = 2**16  # points proposed at once
ARC_NODES = 64  # of the integral along a moon

Energy = Callable[[np.ndarray, np.ndarray], np.ndarray]


def u1(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A ring of radius 2, of which two sides are left."""
    return 0.5 * ((np.hypot(a, b) - 2.0) / 0.4) ** 2 - np.logaddexp(_bell((a - 2.0) / 0.6), _bell((a + 2.0) / 0.6))


def u2(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A sine wave of constant width."""
    return -_bell((b - _wave(a)) / 0.4)


def u3(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The wave, and another one that leaves it around a = 1 and comes back."""
    away = 3.0 * np.exp(_bell((a - 1.0) / 0.6))
    return -np.logaddexp(_bell((b - _wave(a)) / 0.35), _bell((b - _wave(a) + away) / 0.35))


def u4(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The wave, and another one that leaves it at a = 1 for good."""
    away = 3.0 / (1.0 + np.exp((1.0 - a) / 0.3))
    return -np.logaddexp(_bell((b - _wave(a)) / 0.4), _bell((b - _wave(a) + away) / 0.35))


def checkerboard(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The black squares of a 4 x 4 checkerboard, all alike; the one at the lower left is black."""
    black = (np.floor(a / 2.0) + np.floor(b / 2.0)) % 2.0 == 0.0
    return np.where(black, 0.0, np.inf)


def eight_gaussians(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Eight normal distributions of deviation 0.5 / sqrt 2 on a circle of radius 4 / sqrt 2; exp(-U) is their mean."""
    angles, variance = np.arange(8) * np.pi / 4.0, 0.125
    squares = [(a - math.sqrt(8.0) * np.cos(t)) ** 2 + (b - math.sqrt(8.0) * np.sin(t)) ** 2 for t in angles]
    return math.log(16.0 * math.pi * variance) - np.logaddexp.reduce([-0.5 * s / variance for s in squares])


def moons(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Two interlocking half circles of radius 2 with normal noise of 0.2: scikit-learn's, twice as large.

    exp(-U) is their density itself, the mean over both of the integral over the angle, by Gauss-Legendre quadrature.
    """
    nodes, weights = np.polynomial.legendre.leggauss(ARC_NODES)
    total = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    for angle, weight in zip(0.5 * np.pi * (nodes + 1.0), 0.5 * weights, strict=True):
        for side in (1.0, -1.0):  # the second is the first one turned by half a circle
            place = side * (2.0 * np.cos(angle) - 1.0), side * (2.0 * np.sin(angle) - 0.5)
            total += 0.5 * weight * np.exp(_bell((a - place[0]) / 0.2)) * np.exp(_bell((b - place[1]) / 0.2))
    with np.errstate(divide="ignore"):
        return -np.log(total / (2.0 * np.pi * 0.2**2))


@dataclass(frozen=True)
class Density:
    """A density known up to its integral on the box, which quadrature gives.

    Attributes:
        energy: U, of the two coordinates.
        ceiling: exp(-U) is nowhere larger.
    """

    energy: Energy
    ceiling: float

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """log p(x) in nats of x (n, 2): (n,) float64; -inf outside the box."""
        a, b = np.asarray(x, np.float64).T
        inside = np.maximum(np.abs(a), np.abs(b)) <= SIDE
        return np.where(inside, -self.energy(a, b) - log_mass(self.energy), -np.inf)

    def sample(self, count: int, seed: Sequence[int]) -> np.ndarray:
        """Exact samples by rejection from the box: (count, 2) float32, the same on every machine.

        Each point proposed takes three raw 64-bit numbers of NumPy's PCG64, of which the upper 53 bits make two
        coordinates and the number that decides whether it is kept.
        """
        raw, parts, found = np.random.PCG64(seed), [], 0
        while found < count:
            words = raw.random_raw(3 * CHUNK).reshape(CHUNK, 3) >> np.uint64(11)
            a, b, height = words.T * 2.0**-53
            a, b = SIDE * (2.0 * a - 1.0), SIDE * (2.0 * b - 1.0)
            kept = self.ceiling * height < np.exp(-self.energy(a, b))
            parts.append(np.stack([a[kept], b[kept]], axis=1))
            found += len(parts[-1])
        return np.concatenate(parts)[:count].astype(np.float32)


DENSITIES = {
    "rezende_u1": Density(u1, ceiling=1.001),
    "rezende_u2": Density(u2, ceiling=1.0),
    "rezende_u3": Density(u3, ceiling=2.0),
    "rezende_u4": Density(u4, ceiling=2.0),
    "checkerboard": Density(checkerboard, ceiling=1.0),
    "eight_gaussians": Density(eight_gaussians, ceiling=0.16),
    "moons": Density(moons, ceiling=0.2),
}


def density(name: str) -> Density | None:
    """The true density of a data set; None where it is unknown.

    Args:
        name: one of `flowzoo.data.names()`.

    >>> density("rezende_u2").log_prob(np.array([[0.0, 0.0], [0.0, 5.0]])).round(3).tolist()
    [-2.082, -inf]
    """
    return DENSITIES.get(name)


@functools.cache
def log_mass(energy: Energy, nodes: int = NODES) -> float:
    """log of the integral of exp(-U) over the box, by the midpoint rule with `nodes` on each axis, float64."""
    width = 2.0 * SIDE / nodes
    middles = width * (np.arange(nodes) + 0.5) - SIDE
    return math.log(np.exp(-energy(middles[:, None], middles[None])).sum() * width**2)


def _bell(t: np.ndarray) -> np.ndarray:
    return -0.5 * t**2


def _wave(a: np.ndarray) -> np.ndarray:
    return np.sin(0.5 * np.pi * a)
