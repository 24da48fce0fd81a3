"""What a signature takes and gives, and values that fit it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Spec:
    """A named tensor of a signature: its NumPy dtype ("object" for strings), and its shape with None for any size."""

    dtype: str
    shape: tuple[int | None, ...]

    @classmethod
    def of(cls, spec: tf.TensorSpec) -> Spec:
        """The same, without TensorFlow."""
        return cls("object" if spec.dtype.name == "string" else spec.dtype.name, tuple(spec.shape))

    @classmethod
    def of_each(cls, specs: Mapping[str, tf.TensorSpec]) -> dict[str, Spec]:
        """`of` each by its name."""
        return {name: cls.of(spec) for name, spec in specs.items()}


Signatures = dict[str, tuple[dict[str, Spec], dict[str, Spec]]]  # (inputs, outputs) by name


def fitting(value: Any, name: str, spec: Spec) -> np.ndarray:
    """The value as an array of the spec.

    Raises:
      ValueError: another shape, or numbers of another kind or range.
    """
    array = np.array(value, object) if spec.dtype == "object" else np.asarray(value)
    if len(array.shape) != len(spec.shape) or any(
        wanted not in (None, found) for wanted, found in zip(spec.shape, array.shape, strict=True)
    ):
        shape = ", ".join("batch" if size is None else str(size) for size in spec.shape)
        raise ValueError(f"`{name}` must have shape ({shape}), got {array.shape}.")
    if spec.dtype == "object":
        if not all(isinstance(item, bytes) for item in array):
            raise ValueError(f"`{name}` must hold bytes, one for each row, got something else.")
        return array
    wanted = np.dtype(spec.dtype)
    whole = np.issubdtype(wanted, np.integer)
    if not np.issubdtype(array.dtype, np.integer) and (whole or not np.issubdtype(array.dtype, np.floating)):
        raise ValueError(f"`{name}` must be {wanted}, got {array.dtype}.")
    if whole and array.size:
        limits, low, high = np.iinfo(wanted), int(array.min()), int(array.max())
        if low < limits.min or high > limits.max:
            raise ValueError(f"`{name}` must be {wanted}, {limits.min} ... {limits.max}, got {low} ... {high}.")
    return array.astype(wanted)
