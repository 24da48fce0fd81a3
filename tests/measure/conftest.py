"""Shared: images of the fixtures in place of a prepared data set."""

from tests.training.conftest import images  # noqa: F401
