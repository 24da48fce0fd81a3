"""The zoo's own exceptions, and the nearest name for a mistyped one."""

import difflib
from collections.abc import Iterable

_LIKENESS = 0.6  # of names; with less, "dropout" would be taken for "depth"


class PresetError(ValueError):
    """A preset that does not exist or is not written as one."""


class CheckpointError(ValueError):
    """Weights that are missing, damaged, or belong to another model."""


class HubError(CheckpointError):
    """A hub that does not answer, or answers with something invalid."""


class NonFiniteError(ArithmeticError):
    """The loss or a gradient is not a finite number; the step that met it has changed nothing."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The fix for an unknown name: the closest known one, or all of them."""
    known = sorted(known)
    return closest(name, known) or f"Known: {', '.join(known) or 'none'}."


def closest(name: str, known: Iterable[str]) -> str:
    """The known name that a mistyped one may be meant for, as a question; "" if none is close."""
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=_LIKENESS)
    return f"Did you mean {close[0]!r}?" if close else ""
