"""Explicit Runge-Kutta methods: their coefficients."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Tableau:
    """k_i = f(t + c_i h, y + h sum_j a_ij k_j), then y + h sum_i b_i k_i.

    Attributes:
      nodes: c.
      matrix: the rows of a, one for each stage but the first.
      weights: b.
      order: of the method with weights b.
      error: b minus the weights of an embedded method of one order less; None for fixed steps.
    """

    nodes: tuple[float, ...]
    matrix: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    order: int
    error: tuple[float, ...] | None = None

    @property
    def reuses_last(self) -> bool:
        """Whether the last stage of a step is the first one of the next ("first same as last")."""
        return self.matrix[-1:] == (self.weights[:-1],)


_DORMAND_PRINCE = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
TABLEAUS = {
    "dopri5": Tableau(  # Dormand & Prince 1980, A family of embedded Runge-Kutta formulae
        nodes=(0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
        matrix=(
            (1 / 5,),
            (3 / 40, 9 / 40),
            (44 / 45, -56 / 15, 32 / 9),
            (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
            (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
            _DORMAND_PRINCE,
        ),
        weights=(*_DORMAND_PRINCE, 0.0),
        order=5,
        error=(71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40),
    ),
    "rk4": Tableau((0.0, 0.5, 0.5, 1.0), ((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6), 4),
    "midpoint": Tableau((0.0, 0.5), ((0.5,),), (0.0, 1.0), 2),
    "euler": Tableau((0.0,), (), (1.0,), 1),
}
