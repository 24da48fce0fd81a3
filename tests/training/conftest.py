"""Shared: trainings of a 2-D flow that take seconds."""

import pytest

from tests.training import toy


@pytest.fixture
def circle(monkeypatch):
    """The toy data; set `circle.changed` to alter the batch of a step."""
    from flowzoo.training import stages, trainer

    class Circle(toy.Circle):
        pass

    monkeypatch.setattr(trainer, "Sources", Circle)
    monkeypatch.setattr(stages, "require_dataset", lambda preset: None)
    return Circle


@pytest.fixture
def images():
    """`flowzoo.data.load` reads the fixture's images."""
    from flowzoo.data import arrays

    original = toy.fixture_as_data()
    yield
    arrays.read = original
