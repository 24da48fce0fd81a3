"""Hubs for tests: an empty cache, quick retries, and the tree of a tiny preset."""

import pytest

from flowzoo.hub import mirrors, store, transport
from tests.hub import server, trees


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of an empty cache; there are no weights installed or in a checkout, and no hub."""
    monkeypatch.setenv("FLOWZOO_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FLOWZOO_HUB", raising=False)
    monkeypatch.delenv("FLOWZOO_OFFLINE", raising=False)
    monkeypatch.setattr(mirrors, "_chosen", None)
    monkeypatch.setattr(mirrors, "_failed", set())
    monkeypatch.setattr(store, "INSTALLED", tmp_path / "installed")
    monkeypatch.setattr(store, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.setattr(transport, "PAUSE", 0.001)
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """The root of a hub with `tiny@1` and `tiny@2`; not to be altered."""
    return trees.tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture
def hub(tree, cache):
    """That hub, served on loopback and set."""
    with server.serving(tree) as running:
        mirrors.set_hub(running.url)
        yield running
