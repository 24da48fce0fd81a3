"""The map of a single number that both neural spline flows share."""

from __future__ import annotations

from flowzoo.bijectors import Affine, RationalQuadratic, ScalarChain, ScalarMap


def spline_map(bins: int, bound: float, affine: bool) -> ScalarMap:
    """A rational-quadratic spline, with `affine` after a shift and a scale; with 0 `bins`, only those."""
    if affine and not bins:
        return Affine()
    spline = RationalQuadratic(bins, bound)
    return ScalarChain(Affine(), spline) if affine else spline
