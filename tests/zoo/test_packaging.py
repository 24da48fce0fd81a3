"""What an installation from a clone brings, and what `tools/release.py` makes."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flowzoo.core.files import sha256
from flowzoo.hub import mirrors
from flowzoo.hub.store import DEMO

ROOT = Path(__file__).parents[2]
HUB = "https://example.org/zoo"
SMALL, LIMITED, LARGE, SMALL_AND_LIMITED = "planar-rezende-u1", "maf-bsds300", "glow-cifar10", "planar-rezende-u2"
BUILD = """
import sys
from pathlib import Path
sys.path.insert(0, "tools")
import release
work = Path(sys.argv[1])
release.build(work, work / "dist", release.slim(), release._hubs(sys.argv[2]))
"""


def git(clone: Path, *arguments: str) -> None:
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    subprocess.run(["git", *who, *arguments], cwd=clone, check=True, capture_output=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with four small checkpoints, one of a small preset that is made a restricted one."""
    clone = tmp_path_factory.mktemp("clone")
    for name in ("flowzoo", "tools"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__", "checkpoints"))
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"):
        shutil.copy(ROOT / name, clone)
    for name in (DEMO, SMALL, LIMITED, LARGE, SMALL_AND_LIMITED):
        (clone / "checkpoints" / name).mkdir(parents=True)
        (clone / "checkpoints" / name / "model.weights.h5").write_bytes(b"weights")
    preset = clone / "flowzoo" / "zoo" / "presets" / f"{SMALL_AND_LIMITED}.json"
    record = json.loads(preset.read_text())
    record["licence"]["weights"] = "research only"
    preset.write_text(json.dumps(record))
    git(clone, "init", "--quiet")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message=all")
    return clone


@pytest.fixture(scope="module")
def dist(clone, tmp_path_factory):
    """The folder of an sdist and a wheel of that clone, with a hub."""
    return released(clone, tmp_path_factory.mktemp("work"))


def released(clone: Path, work: Path, **environment) -> Path:
    command = [sys.executable, "-c", BUILD, str(work), HUB]
    done = subprocess.run(command, cwd=clone, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return work / "dist"


def built(clone: Path, target: Path) -> Path:
    command = [sys.executable, "setup.py", "-q", "build_py", f"--build-lib={target}"]
    subprocess.run(command, cwd=clone, check=True, capture_output=True)
    return target / "flowzoo"


def release(clone: Path, *flags: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "tools/release.py", *flags]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=1200)


def test_a_clone_installs_everything_and_nothing_of_a_former_build(clone, tmp_path):
    former = tmp_path / "flowzoo" / "zoo" / "checkpoints" / "former"
    former.mkdir(parents=True)
    package = built(clone, tmp_path)
    assert (package / "zoo" / "presets" / f"{DEMO}.json").is_file()
    assert (package / "data" / "fixtures" / "fashion_mnist_test.npz").is_file()
    names = sorted(path.name for path in (package / "zoo" / "checkpoints").iterdir())
    assert names == sorted([DEMO, SMALL, LIMITED, LARGE, SMALL_AND_LIMITED])
    assert (package / "zoo" / "checkpoints" / LARGE / "model.weights.h5").read_bytes() == b"weights"
    assert not (package / "zoo" / mirrors.STAMPED.name).exists()


def test_a_release_has_the_weights_that_are_small_and_free(dist):
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as one, tarfile.open(sdist) as other:
        installed, packed = one.namelist(), other.getnames()
    for names in (installed, packed):
        found = {name.split("/")[-2] for name in names if name.endswith(".weights.h5")}
        assert found == {DEMO, SMALL}
        for needed in (
            f"zoo/presets/{LARGE}.json",
            "data/fixtures/fashion_mnist_test.npz",
            "measure/judges/fsdd.npz",
            "cards/templates/preset.md.jinja",
            "py.typed",
        ):
            assert any(name.endswith(f"flowzoo/{needed}") for name in names)
    assert not [name for name in packed if "/tests" in name or "/tools" in name]


def test_a_release_names_its_hub(dist, monkeypatch, tmp_path):
    (wheel,) = dist.glob("*.whl")
    monkeypatch.setattr(mirrors, "_chosen", None)
    monkeypatch.delenv("FLOWZOO_HUB", raising=False)
    assert mirrors.hubs() == ()  # in a clone
    zipfile.ZipFile(wheel).extractall(tmp_path)
    monkeypatch.setattr(mirrors, "STAMPED", tmp_path / "flowzoo" / "hub" / mirrors.STAMPED.name)
    assert mirrors.hubs() == (HUB,)
    monkeypatch.setenv("FLOWZOO_HUB", "https://other.example")
    assert mirrors.hubs() == ("https://other.example",)
    monkeypatch.setenv("FLOWZOO_HUB", "")
    assert mirrors.hubs() == ()
    monkeypatch.delenv("FLOWZOO_HUB")
    mirrors.set_hub()
    assert mirrors.hubs() == ()


def test_the_same_commit_gives_the_same_bytes(clone, dist, tmp_path):
    (clone / "flowzoo" / "__init__.py").touch()  # as a later checkout would
    (clone / "setup.py").chmod(0o755)
    again = released(clone, tmp_path, TZ="Asia/Tokyo")
    (clone / "setup.py").chmod(0o644)
    assert {path.name: sha256(path) for path in again.iterdir()} == {path.name: sha256(path) for path in dist.iterdir()}


def test_what_can_not_be_released_is_one_line_and_leaves_nothing(clone, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for flags, message in (
        ((f"--out={tmp_path / 'full'}",), "--out must be a new or an empty folder"),
        ((f"--out={tmp_path / 'new'}", "--hub=https://me:secret@example.org"), "--hub must have no user and no pass"),
        ((f"--out={tmp_path / 'new'}", "--hub=example.org"), "a hub must be a URL"),
    ):
        done = release(clone, *flags)
        assert done.returncode == 1 and done.stderr.startswith(f"error: {message}"), done.stderr
        assert "secret" not in done.stderr
    (clone / "new.py").touch()
    done = release(clone, f"--out={tmp_path / 'new'}")
    (clone / "new.py").unlink()
    assert done.returncode == 1 and "without changes, got:\n?? new.py\n" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


USE = """
import flowzoo
from flowzoo.core.errors import CheckpointError
print(flowzoo.__file__)
try:
    print(flowzoo.load("glow-celeba64").count_params())
except CheckpointError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_slim_install_takes_the_rest_from_the_hub_of_its_release(tmp_path):
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True)
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "out" / "hub")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        done = release(tmp_path / "clone", f"--out={tmp_path / 'out'}", f"--hub=http://127.0.0.1:{web.server_port}")
        assert done.returncode == 0, done.stderr[-3000:]
        (wheel,) = (tmp_path / "out" / "dist").glob("*.whl")
        zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
        assert wheel.stat().st_size < 25_000_000
        assert "or $FLOWZOO_HUB" in used(tmp_path, FLOWZOO_HUB="")  # none is set, and here is how to name one
        threading.Thread(target=web.serve_forever, daemon=True).start()
        assert int(used(tmp_path)) >= 5_149_197
        web.shutdown()
    assert done.stdout == (tmp_path / "out" / "UPLOAD.txt").read_text()
    sums = dict(line.split("  ")[::-1] for line in (tmp_path / "out" / "SHA256SUMS").read_text().splitlines())
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    assert sums == {path.relative_to(tmp_path / "out").as_posix(): sha256(path) for path in files}


def used(folder: Path, **environment) -> str:
    """What an install in `folder` that is all there is of flowzoo says of glow-celeba64."""
    environment = {"PYTHONPATH": str(folder / "installed"), "FLOWZOO_HOME": str(folder / "cache")} | environment
    done = subprocess.run(
        [sys.executable, "-c", USE], cwd=folder, env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    where, result = done.stdout.splitlines()
    assert Path(where).is_relative_to(folder / "installed")
    return result
