"""Data sets on TFDS or drawn from densities: what they are, reading them as tf.data, and small fixtures."""

from flowzoo.data.arrays import MissingDataError
from flowzoo.data.energies import density
from flowzoo.data.fixtures import fixture, shipped
from flowzoo.data.specs import DatasetSpec, asked, names, spaces, spec

__all__ = [
    "DatasetSpec",
    "MissingDataError",
    "asked",
    "density",
    "fixture",
    "load",
    "names",
    "shipped",
    "spaces",
    "spec",
    "stream",
]


def __getattr__(name: str):
    if name in ("load", "stream"):  # imports TensorFlow; the facts about data sets shouldn't
        from flowzoo.data import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
