"""Warnings that point at the user's own line."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import keras

_INSIDE = tuple(f"{folder}/" for folder in (Path(__file__).parents[1], Path(keras.__file__).parent))


def warn(message: str) -> None:
    """`warnings.warn`, pointing at the line that called flowzoo, however deep inside flowzoo or Keras it is raised."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
