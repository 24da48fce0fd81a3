"""Files by flowzoo cd0701d give the numbers that they gave there: models, weights, an export, a training midway.

`fixtures/cd0701d/make.py` made them. What a file stores is read to the last bit. What is computed from it is equal to
the last bit where TensorFlow alone rounds as it did there, which the export shows, since no code of flowzoo runs in it;
on other processors the tolerance is `ELSEWHERE`. Since 4232534 log-dets are added by one operation and weights updated
by one each, which rounds otherwise: `SUMS` and `STEPS` are the tolerances for that.
"""

import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

import flowzoo

FOLDER = Path(__file__).parent / "fixtures" / "cd0701d"
NAMES = ("realnvp.keras", "glow.keras", "nsf-coupling.keras", "ffjord.keras", "maf.weights.h5")
MAF = {"event_shape": [3], "depth": 2, "hidden": 8, "standardize": False}  # flows had no `standardize` then
EXACT = {"rtol": 0.0, "atol": 0.0}
SUMS = {"rtol": 1e-6, "atol": 0.0}  # measured: two units in the last place
STEPS = {"rtol": 1e-4, "atol": 1e-6}  # after three steps; measured: 1e-5 relative and 2e-8
ELSEWHERE = {"rtol": 1e-4, "atol": 1e-4}
COMPILED = {"rtol": 0.0, "atol": 5e-6}  # samples by XLA; measured: 7e-7
ROUNDED_SINCE = {
    ("glow.keras", "log_prob"): SUMS,
    ("glow.keras", "log_det"): SUMS,
    ("nsf-coupling.keras", "sample"): COMPILED,
    ("maf.weights.h5", "sample"): COMPILED,
}


def load(name):
    if name.endswith(".keras"):
        return keras.models.load_model(FOLDER / name)
    flow = flowzoo.create("maf", **MAF)
    flow.load_weights(FOLDER / name)
    return flow


def assert_close(name, got, expected, tolerance):
    got = np.asarray(got)
    assert got.dtype == expected.dtype, name
    if got.dtype == np.uint8 and tolerance != EXACT:
        tolerance = {"rtol": 0.0, "atol": 1.0}  # a pixel at the edge of its bin
    np.testing.assert_allclose(got, expected, **tolerance, err_msg=name)


def assert_same(got, expected):
    assert len(got) == len(expected) > 0
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def parts(arrays, prefix):
    return [arrays[name] for name in sorted(arrays) if name.startswith(f"{prefix}/")]


@pytest.fixture(scope="module")
def stored():
    """A function of a file's name: what the old code computed from it, by name, with the inputs."""
    with np.load(FOLDER / "expected.npz") as file:
        arrays = {name: file[name] for name in file.files}
    return lambda of: {name.removeprefix(f"{of}/"): a for name, a in arrays.items() if name.startswith(f"{of}/")}


@pytest.fixture(scope="module")
def served(stored, tmp_path_factory):
    """What the export computes."""
    folder, inputs = tmp_path_factory.mktemp("export"), stored("export")
    with zipfile.ZipFile(FOLDER / "export.zip") as archive:
        archive.extractall(folder)
    signatures = tf.saved_model.load(str(folder / "export")).signatures
    x, seed, temperature = (tf.constant(inputs[name]) for name in ("x", "seed", "temperature"))
    sample = signatures["sample"](seed=seed, temperature=temperature)["x"]
    return {**signatures["log_prob"](x=x), **signatures["encode"](x=x), "sample": sample}


@pytest.fixture(scope="module")
def rounding(served, stored):
    """The tolerance of what is computed on this machine."""
    expected = stored("export")
    return EXACT if all(np.array_equal(value, expected[name]) for name, value in served.items()) else ELSEWHERE


def test_an_export(served, stored):
    for name, value in served.items():
        assert_close(name, value, stored("export")[name], ELSEWHERE)


@pytest.mark.parametrize("file", NAMES)
def test_a_flow(file, stored, rounding):
    flow, expected = load(file), stored(file)
    assert_same(flow.weights, parts(expected, "weights"))
    x, condition = expected["x"], expected.get("condition")
    z, log_det = flow.encode(x, condition, seed=6)
    sample = flow.sample(len(x), condition, temperature=0.7, seed=7)
    found = {"log_prob": flow.log_prob(x, condition, seed=6), "z": z, "log_det": log_det, "sample": sample}
    for name, value in found.items():
        since = ROUNDED_SINCE.get((file, name), EXACT)
        assert_close(name, value, expected[name], since if rounding == EXACT else rounding)


def test_a_compiled_flow_has_its_optimizer(stored):
    flow = load("realnvp.keras")
    assert int(flow.optimizer.iterations) == 2
    assert_same(flow.optimizer.variables, parts(stored("realnvp.keras"), "slots"))
    flow.fit(stored("realnvp.keras")["x"], batch_size=2, verbose=0)
    assert int(flow.optimizer.iterations) == 4


def test_the_optimizer_in_a_weight_file_is_passed_over(stored):
    with h5py.File(FOLDER / "maf.weights.h5") as file:
        assert len(file["optimizer/vars"]) == len(parts(stored("maf.weights.h5"), "slots"))
    flow = flowzoo.create("maf", **MAF)
    flow.compile()
    flow.load_weights(FOLDER / "maf.weights.h5")
    assert int(flow.optimizer.iterations) == 0


RESUME = """
import functools, runpy, sys
import keras, numpy as np

fit, workdir, before = keras.Model.fit, *sys.argv[1:]

@functools.wraps(fit)
def noted(model, *args, **kwargs):
    np.savez(before, *model.weights, *model.optimizer.variables)
    return fit(model, *args, **kwargs)

keras.Model.fit = noted
flags = [f"--preset={workdir}/preset.json", f"--workdir={workdir}", "--max_steps=8"]
sys.argv = ["tools/train.py", *flags, "--deterministic", "--save_minutes=0"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_training_resumes(tmp_path, fresh_process):
    with zipfile.ZipFile(FOLDER / "training.zip") as archive:
        archive.extractall(tmp_path)
    paused = state(tmp_path / "paused", 5)
    fresh_process(RESUME, tmp_path / "paused", tmp_path / "before.npz")
    with np.load(tmp_path / "before.npz") as before:
        assert_same([before[name] for name in before.files], parts(paused, "model") + parts(paused, "optimizer"))
    resumed, later = tmp_path / "paused", tmp_path / "later"
    for numbers in (lambda workdir: state(workdir, 8), history):
        got, expected = numbers(resumed), numbers(later)
        assert got.keys() == expected.keys()
        for name, value in got.items():
            assert_close(name, value, expected[name], STEPS)
    assert state(resumed, 8)["optimizer/00000"] == 8 == paused["optimizer/00000"] + 3  # iterations


def state(workdir, step):
    """The arrays of a state."""
    with np.load(workdir / "state" / f"state-{step:09d}.npz") as file:
        return {name: file[name] for name in file.files if name != "facts"}


def history(workdir):
    """The columns, but for the times."""
    names, *rows = [line.split(",") for line in (workdir / "history.csv").read_text().splitlines()]
    return {name: np.array(column, float) for name, *column in zip(names, *rows, strict=True) if name != "seconds"}
