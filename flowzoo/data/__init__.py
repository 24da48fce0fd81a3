"""Data sets on TFDS or drawn from densities: what they are, reading them as tf.data, and small fixtures."""

from flowzoo.data.arrays import MissingDataError
from flowzoo.data.energies import density
from flowzoo.data.fixtures import fixture
from flowzoo.data.specs import DatasetSpec, names, spec

__all__ = ["DatasetSpec", "MissingDataError", "density", "fixture", "load", "names", "spec"]


def __getattr__(name: str):
    if name == "load":  # imports TensorFlow; the facts about data sets shouldn't
        from flowzoo.data.pipeline import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
