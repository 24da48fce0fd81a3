"""Exported models that all tests of serving share, and a server that has them.

`python -m tests.serving.conftest FOLDER` writes them, and a models.config, for a real TensorFlow Serving.
"""

import functools
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from flowzoo import flows
from flowzoo.core.space import Space
from flowzoo.serving import export
from flowzoo.serving.warmup import can_warm_up
from tests import cases

VECTORS, IMAGES, CONDITION = "realnvp", "nice-image", "radial-condition"  # rows of `cases`
SEVERAL = "waveflow-several"
CONFIG = 'config {{ name: "{0}" base_path: "/models/{0}" model_platform: "tensorflow" }}'


@functools.cache
def several():
    """A flow with a label and a sequence of any length as its conditions, four examples, and their conditions."""
    spaces = {"label": Space.integers((), 3), "words": Space((None, 5))}
    options = {"event_shape": (24,), "height": 3, "depth": 1, "hidden": 4, "blocks": 1}
    numbers = np.random.default_rng(0)
    given = {"label": np.arange(4) % 3, "words": numbers.normal(size=(4, 6, 5)).astype("float32")}
    flow = cases.randomized(flows.create("waveflow", condition=spaces, **options))
    return flow, numbers.integers(-999, 999, (4, 24)).astype("int16"), given


def write_models(folder):
    """Exports flows of vectors, of images, with a condition, and with several."""
    for name in (VECTORS, IMAGES, CONDITION):
        export(cases.flow(name), folder / name / "1", name=name if can_warm_up() else None, card="{}")
    export(several()[0], folder / SEVERAL / "1", name=SEVERAL if can_warm_up() else None, card="{}")


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
    configs = "\n".join(CONFIG.format(name) for name in (VECTORS, IMAGES, CONDITION, SEVERAL))
    Path(sys.argv[1], "models.config").write_text(f"model_config_list {{\n{configs}\n}}\n")
