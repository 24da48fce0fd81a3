"""What is installed: the presets, the fixtures, and the weights of all presets or of the demo's only."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flowzoo.zoo.store import DEMO

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with two small checkpoints."""
    pytest.importorskip("setuptools")
    clone = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "flowzoo", clone / "flowzoo", ignore=shutil.ignore_patterns("__pycache__", "checkpoints"))
    shutil.copy(ROOT / "setup.py", clone)
    for name in (DEMO, "other"):
        (clone / "checkpoints" / name).mkdir(parents=True)
        (clone / "checkpoints" / name / "model.weights.h5").write_bytes(b"weights")
    return clone


def built(clone: Path, target: Path, **environment) -> Path:
    command = [sys.executable, "setup.py", "-q", "build_py", f"--build-lib={target}"]
    subprocess.run(command, cwd=clone, env=os.environ | environment, check=True, capture_output=True)
    return target / "flowzoo"


def test_everything_needed_is_installed(clone, tmp_path):
    package = built(clone, tmp_path)
    assert (package / "zoo" / "presets" / f"{DEMO}.json").is_file()
    assert (package / "data" / "fixtures" / "fashion_mnist_test.npz").is_file()
    assert sorted(path.name for path in (package / "zoo" / "checkpoints").iterdir()) == [DEMO, "other"]
    assert (package / "zoo" / "checkpoints" / "other" / "model.weights.h5").read_bytes() == b"weights"


def test_slim_has_the_demo_only_even_after_a_full_build(clone, tmp_path):
    built(clone, tmp_path)
    package = built(clone, tmp_path, FLOWZOO_SLIM="1")
    assert [path.name for path in (package / "zoo" / "checkpoints").iterdir()] == [DEMO]


def test_the_demo_preset_is_the_one_that_slim_keeps():
    assert f'DEMO = "{DEMO}"' in (ROOT / "setup.py").read_text()
