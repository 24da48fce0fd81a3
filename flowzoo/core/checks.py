"""Checks of single arguments: each returns the value, or raises naming the argument, what it must be and what it is."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable


def check_count(value, what: str, least: int = 1, most: int | None = None) -> int:
    """Returns a whole number from `least` to `most`, or raises."""
    if not _whole(value) or value < least or (most is not None and value > most):
        expected = f">= {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"`{what}` must be a whole number {expected}, got {value!r}.")
    return int(value)


def check_seed(value, what: str, bits: int = 32) -> int:
    """Returns a whole number from 0 to 2^bits - 1, or raises: a larger one would be the same seed as a smaller one."""
    return check_count(value, what, 0, 2**bits - 1)


def check_number(value, what: str, below: float = math.inf, *, zero: bool = False) -> float:
    """Returns a number between 0 and `below`, or raises; 0 itself only with `zero`."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not 0.0 <= value < below or (value == 0.0 and not zero):
        limit = "" if below == math.inf else f" and < {below}"
        raise ValueError(f"`{what}` must be a finite number {'>=' if zero else '>'} 0{limit}, got {value!r}.")
    return float(value)


def check_flag(value, what: str) -> bool:
    """Returns True or False, or raises."""
    if not isinstance(value, bool):
        raise ValueError(f"`{what}` must be True or False, got {value!r}.")
    return value


def check_shape(shape, what: str, least_axes: int = 0) -> tuple[int, ...]:
    """Returns a shape as a tuple of at least this many positive whole numbers, or raises."""
    axes = tuple(shape) if isinstance(shape, Iterable) else None
    if axes is None or len(axes) < least_axes or not all(_whole(n) and n >= 1 for n in axes):
        many = f"at least {least_axes} " if least_axes else ""
        raise ValueError(f"`{what}` must be a tuple of {many}whole numbers >= 1, got {shape!r}.")
    return tuple(int(n) for n in axes)


def _whole(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
