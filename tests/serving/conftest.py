"""Exported models that all tests of serving share, and a server that has them."""

import os

import pytest

from flowzoo.serving import export
from tests import cases

VECTORS, IMAGES, CONDITION = "realnvp", "nice-image", "radial-condition"  # rows of `cases`


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder of models: of vectors, of images, and with a condition."""
    folder = tmp_path_factory.mktemp("models")
    for name in (VECTORS, IMAGES, CONDITION):
        export(cases.flow(name), folder / name / "1", name=name, card="{}")
    return folder


@pytest.fixture(scope="session")
def addresses(models):
    """(REST, gRPC) of the protocol server, or of a real one named by FLOWZOO_SERVING_REST and ..._GRPC."""
    given = os.environ.get("FLOWZOO_SERVING_REST"), os.environ.get("FLOWZOO_SERVING_GRPC")
    if all(given):
        yield given
        return
    protocol_server = pytest.importorskip("tests.serving.protocol_server", exc_type=ImportError)
    with protocol_server.serving(models) as running:
        yield running
