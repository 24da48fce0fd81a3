"""A tiny published preset for the tests of the zoo."""

import pytest

from tests.zoo import tiny


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The path of a published preset's JSON; not to be altered."""
    return tiny.publish(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def altered(published, tmp_path):
    """A copy of `published` that a test may alter."""
    return tiny.copy(published, tmp_path)
