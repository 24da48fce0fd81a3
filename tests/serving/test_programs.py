"""Programs that know nothing of flowzoo run the SavedModel: one in C, by the C API alone, and TensorFlow's own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import cases
from tests.serving.conftest import IMAGES, VECTORS

C = Path(__file__).parents[2] / "examples" / "serving" / "c"
QUIET = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_XLA_FLAGS": "--tf_xla_auto_jit=-1"}

_CLI = """
import contextlib, json, sys
from tensorflow.python.tools import saved_model_cli
for words in json.loads(sys.argv[1]):  # importing TensorFlow for each takes seconds
    sys.argv = ["saved_model_cli", *words]
    with contextlib.suppress(SystemExit):
        saved_model_cli.main()
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A function that runs the C example with some words; gives its exit code, numbers and errors."""
    missing = [tool for tool in ("make", "cc") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"the C example needs {' and '.join(missing)}")
    path = tmp_path_factory.mktemp("c") / "flow"
    words = ["make", "-C", str(C), f"PYTHON={sys.executable}", f"OUT={path}", "CFLAGS=-O1 -Wall -Wextra -Werror"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert not done.returncode, done.stderr

    def run(*arguments, stdout=subprocess.PIPE):
        words = [path, *map(str, arguments)]
        done = subprocess.run(words, stdout=stdout, stderr=subprocess.PIPE, text=True, env=QUIET, timeout=300)
        return done.returncode, [line.split() for line in (done.stdout or "").splitlines()], done.stderr

    return run


def test_c_gives_what_python_gives(program, models, tmp_path):
    for name in (VECTORS, IMAGES):
        flow, (x, _) = cases.flow(name), cases.flow_data(name, 7)
        (tmp_path / "x").write_bytes(x.tobytes())
        code, lines, error = program(models / name / "1", "log_prob", tmp_path / "x")
        assert code == 0, error
        np.testing.assert_allclose(np.array(lines, float)[:, 0], flow.log_prob(x), rtol=1e-4, atol=1e-4)
        wanted = flow.sample(7, temperature=0.8, seed=2**33 + 5).numpy().reshape(7, -1)
        for count in (7, 3):  # at any batch size
            samples = np.array(program(models / name / "1", "sample", count, 2**33 + 5, 0.8)[1], float)
            np.testing.assert_allclose(samples, wanted[:count], rtol=1e-4, atol=1.0 if flow.bits else 1e-4)
    z = flow.encode(x)[0].numpy()
    (tmp_path / "z").write_bytes(z.tobytes())
    again = np.array(program(models / name / "1", "decode", tmp_path / "z")[1], int)
    np.testing.assert_allclose(again, x.reshape(7, -1), atol=1)


def test_c_is_told_what_was_expected(program, models, tmp_path):
    (tmp_path / "x").write_bytes(np.array([[0, 0], [np.nan, 0]], "float32").tobytes())
    code, _, error = program(models / VECTORS / "1", "log_prob", tmp_path / "x")
    assert code == 1 and "code 3: " in error and "expected `x` of finite numbers" in error  # 3: INVALID_ARGUMENT
    (tmp_path / "x").write_bytes(bytes(5))
    code, _, error = program(models / VECTORS / "1", "log_prob", tmp_path / "x")
    assert code == 2 and error.endswith(f"{tmp_path / 'x'}: does not hold whole rows\n")
    rows, number = "must be a number of rows", "is not a valid number"
    bad = [(-1, 7, 1, rows), (2**40, 7, 1, rows), ("many", 7, 1, number), (1, "x", 1, number), (1, 7, "hot", number)]
    for *words, expected in bad:
        code, lines, error = program(models / VECTORS / "1", "sample", *words)
        assert code == 2 and not lines and expected in error
    with open("/dev/full", "w") as full:
        assert program(models / VECTORS / "1", "sample", 1, 7, 1, stdout=full)[0] == 2


def test_saved_model_cli_shows_and_runs(models, tmp_path, fresh_process):
    path, (x, _) = str(models / VECTORS / "1"), cases.flow_data(VECTORS, 4)
    np.save(tmp_path / "x.npy", x)
    where = ["--dir", path, "--tag_set", "serve", "--signature_def"]
    show = ["show", *where, "sample"]
    run = ["run", *where, "log_prob", "--inputs", f"x={tmp_path}/x.npy", "--outdir", str(tmp_path)]
    shown = fresh_process(_CLI, json.dumps([show, run]))
    assert "shape: (-1, 2)" in shown and "inputs['temperature'] tensor_info" in shown
    np.testing.assert_allclose(np.load(tmp_path / "log_prob.npy"), cases.flow(VECTORS).log_prob(x), rtol=1e-4)
