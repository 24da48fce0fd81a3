"""Exported models that all tests of serving share, and a server that has them.

`python -m tests.serving.conftest FOLDER` writes them, and a models.config, for a real TensorFlow Serving.
"""

import os
import sys
from pathlib import Path

import pytest

from flowzoo.serving import export
from flowzoo.serving.warmup import can_warm_up
from tests import cases

VECTORS, IMAGES, CONDITION = "realnvp", "nice-image", "radial-condition"  # rows of `cases`
CONFIG = 'config {{ name: "{0}" base_path: "/models/{0}" model_platform: "tensorflow" }}'


def write_models(folder):
    """Exports flows of vectors, of images, and with a condition."""
    for name in (VECTORS, IMAGES, CONDITION):
        export(cases.flow(name), folder / name / "1", name=name if can_warm_up() else None, card="{}")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder of models."""
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


@pytest.fixture(scope="session")
def addresses(models):
    """(REST, gRPC) of the protocol server, or of a real one named by FLOWZOO_SERVING_REST and ..._GRPC."""
    given = os.environ.get("FLOWZOO_SERVING_REST"), os.environ.get("FLOWZOO_SERVING_GRPC")
    if all(given):
        yield given
        return
    from tests.serving import protocol_server

    with protocol_server.serving(models) as running:
        yield running


if __name__ == "__main__":
    write_models(Path(sys.argv[1], "models"))
    configs = "\n".join(CONFIG.format(name) for name in (VECTORS, IMAGES, CONDITION))
    Path(sys.argv[1], "models.config").write_text(f"model_config_list {{\n{configs}\n}}\n")
