"""Weight files that no hash vouches for: refused by size, by shape, or because they don't read; mutated ones in a child
process, since HDF5 itself may hang or crash on them."""

import collections
import contextlib
import os
import subprocess
import sys
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest

from flowzoo.core.errors import CheckpointError
from flowzoo.core.layout import file_layout, packed, read_numbers, require_readable

ROOT = Path(__file__).parents[2]
SHAPES = {f"layers/{name}/vars/{index}": (3, index + 1) for name in ("first", "second") for index in range(4)}
CHILD = """
import os, random, signal, sys
from pathlib import Path
from flowzoo.core.errors import CheckpointError
from flowzoo.core.layout import require_readable
from tests.core.test_layout import SHAPES
from tests.record.mutate import flipped

whole, mutant = Path(sys.argv[1]).read_bytes(), Path(sys.argv[1] + ".mutant")
for seed in range(int(sys.argv[2])):
    source = random.Random(seed)
    content = whole[: source.randrange(len(whole))] if source.random() < 0.1 else whole
    mutant.write_bytes(flipped(content or b" ", source, source.randint(1, 8)))
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, 1)  # seconds of processor time; a whole file takes milliseconds
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            require_readable(mutant, SHAPES)
        except CheckpointError:
            os._exit(1)
        except BaseException:
            os._exit(2)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture
def weights(tmp_path):
    """A small file as Keras writes it."""
    path = tmp_path / "own.weights.h5"
    with h5py.File(path, "w") as file:
        for name, shape in SHAPES.items():
            file[name] = np.ones(shape, "float32")
        file["optimizer/vars/0"] = np.ones(3)
    return path


def test_a_good_file_is_read(weights):
    numbers = require_readable(weights, SHAPES)
    assert file_layout(weights) == SHAPES == {name: value.shape for name, value in numbers.items()}
    assert all((value == 1).all() for value in numbers.values())


def test_what_is_packed_is_read_and_has_the_same_bytes_each_time(tmp_path):
    numbers = {f"{i}/vars/0": np.full((2, i), 1.5, kind) for i, kind in enumerate(("float32", "int32", "float64"))}
    numbers["b/vars/0"] = np.full(3, 1.5, ml_dtypes.bfloat16)  # HDF5 has no such type
    content = packed(numbers)
    assert content == packed(dict(reversed(numbers.items())))
    path = tmp_path / "x.weights.h5"
    path.write_bytes(content)
    again = read_numbers(path, file_layout(path))
    assert again.keys() == numbers.keys()
    for name, value in numbers.items():
        assert again[name].dtype == value.dtype and (again[name] == value).all()


@pytest.mark.parametrize("count", [40, pytest.param(3000, marks=pytest.mark.slow)])
def test_mutated_files(weights, count):
    arguments = [sys.executable, "-c", CHILD, str(weights), str(count)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=30 * count)
    found = collections.Counter(map(int, done.stdout.split()))
    assert not done.returncode and found.total() == count, done.stderr
    assert found[0] and found[1] and not found[2], found  # read, or refused by a flowzoo error
    assert found[0] + found[1] >= 0.95 * count, found  # the others hung (-27) or crashed (-11, -6) in HDF5


def test_a_file_that_is_too_large_is_refused_unopened(weights, monkeypatch):
    with open(weights, "ab") as file:
        file.truncate(2**26 + 2**13)  # sparse
    monkeypatch.setattr(h5py, "File", None)
    with pytest.raises(CheckpointError, match=r"expected at most \d+ bytes for this flow, got \d+"):
        require_readable(weights, SHAPES)


def test_numbers_of_another_file_are_refused(weights, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(12))
    name = next(iter(SHAPES))
    with h5py.File(weights, "r+") as file:
        del file[name]
        file.create_dataset(name, (3, 1), "float32", external=[(str(secret), 0, 12)])
    with pytest.raises(CheckpointError, match="lie in another file"):
        require_readable(weights, SHAPES)
    with h5py.File(weights, "r+") as file:
        del file[name]
        file[name] = h5py.ExternalLink(str(secret), "/x")
    with pytest.raises(CheckpointError, match=f"{name} is a link to somewhere else"):
        require_readable(weights, SHAPES)


NAME = list(SHAPES)[-1]
PAIR = np.dtype([("a", "f4"), ("b", "f4")])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (PAIR, f"{NAME} must hold real numbers, got"),
        (h5py.vlen_dtype(np.float32), f"{NAME} must hold real numbers, got object"),
        (h5py.string_dtype(), f"{NAME} must hold real numbers, got object"),
        (h5py.ref_dtype, f"{NAME} must hold real numbers, got object"),
        (np.dtype("S3"), f"{NAME} must hold real numbers"),
        (np.dtype("V2"), f"{NAME} must hold real numbers"),
        (np.longdouble, f"{NAME} must hold real numbers, got"),  # unknown to TensorFlow
        (np.complex64, f"{NAME} must hold real numbers, got complex64"),
        (bool, f"{NAME} must hold real numbers, got bool"),
        (np.nan, f"expected finite numbers, got NaN or infinity in {NAME}"),
        (-np.inf, f"expected finite numbers, got NaN or infinity in {NAME}"),
        (1e300, f"expected finite numbers, got NaN or infinity in {NAME}"),  # float32 has no such number
        (h5py.SoftLink("/optimizer/vars/0"), f"{NAME} is a link to somewhere else"),
        (h5py.Empty("f4"), f"{NAME} must hold real numbers, got nothing"),
    ],
)
def test_what_is_no_finite_number_is_refused_by_name(weights, kind, message):
    with h5py.File(weights, "r+") as file:
        del file[NAME]
        if isinstance(kind, float):
            file[NAME] = np.full(SHAPES[NAME], kind)
        elif isinstance(kind, h5py.SoftLink | h5py.Empty):
            file[NAME] = kind
        else:
            file.create_dataset(NAME, SHAPES[NAME], kind)
    with pytest.raises(CheckpointError, match=message):
        require_readable(weights, SHAPES)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (np.int64(-(2**31) - 1), "int32", f"expected integers within the range of int32, got others in {NAME}"),
        (np.uint64(2**63), "int64", f"expected integers within the range of int64, got others in {NAME}"),
        (np.float32(1), "int32", f"expected integers within the range of int32, got others in {NAME}"),
        (np.float32(1e5), "float16", f"expected finite numbers, got NaN or infinity in {NAME}"),
        (np.uint64(2**31 - 1), "int32", ""),
        (np.float64(1e300), "float64", ""),
    ],
)
def test_numbers_must_fit_into_their_variables(weights, value, kind, message):
    with h5py.File(weights, "r+") as file:
        del file[NAME]
        file[NAME] = np.full(SHAPES[NAME], value)
    with pytest.raises(CheckpointError, match=message) if message else contextlib.nullcontext():
        require_readable(weights, SHAPES, {NAME: kind})


def test_a_second_name_of_a_variable_is_an_extra_one(weights):
    with h5py.File(weights, "r+") as file:
        file["again"] = file[NAME]
    with pytest.raises(CheckpointError, match="extra again"):
        require_readable(weights, SHAPES)


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    path = tmp_path / "x.weights.h5"
    os.mkfifo(path)
    with pytest.raises(CheckpointError, match="is not a regular file, but a named pipe"):
        require_readable(path, SHAPES)
