"""Writes what a release uploads: sdist and slim wheel, a hub of every preset with weights, checksums, the commands.

python tools/release.py --out=release --hub=https://example.org/zoo
"""

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # works from a checkout, installed or not

from absl import app, flags  # noqa: E402

from flowzoo.cards.card import restriction_text  # noqa: E402
from flowzoo.core.errors import CheckpointError, PresetError  # noqa: E402
from flowzoo.core.files import sha256  # noqa: E402
from flowzoo.hub import mirrors, store  # noqa: E402
from flowzoo.hub.presets import list_presets, read_preset  # noqa: E402
from flowzoo.record.preset import Preset  # noqa: E402
from flowzoo.zoo import publish_hub  # noqa: E402

_OUT = flags.DEFINE_string("out", None, "The folder to write, which must not hold anything.")
_HUB = flags.DEFINE_string("hub", "", "URLs of the hubs that wheel and sdist name, separated by spaces; else none.")
_FORMER = flags.DEFINE_string("former_hub", None, "A copy of the hub that this one will replace; its revisions stay.")
_VERIFY = flags.DEFINE_bool("verify", False, "Measure each card again for the hub, which needs the data sets.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "--verify: TFDS' folder; TFDS' default if not given.")
_DIRTY = flags.DEFINE_bool("dirty", False, "Release a working tree with changes that are not committed.")

SMALL = 1_000_000  # bytes of weights; presets below are in the wheel
LIMIT = 25_000_000  # bytes of the wheel
HOOK = "import sys; from setuptools import build_meta; getattr(build_meta, f'build_{sys.argv[1]}')(sys.argv[2])"
COMMANDS = """\
flowzoo {version} of commit {commit}. Run these in this folder.

To check that these are the files that were made:
    sha256sum --check --quiet SHA256SUMS
The package index, sdist and wheel with the weights of {small} presets; they name {hubs}:
    twine upload dist/*
The hub of all {presets} presets with weights. Its index goes last, so that readers find the former hub or the new one:
    rsync -a hub/sha256 HOST:ZOO/ && rsync -a hub/index.json HOST:ZOO/
The index replaces the one there: to keep earlier revisions, make the release with --former_hub=COPY.
In the hub only, as their use is restricted: {limited}.
"""


class ReleaseError(Exception):
    """The release can't be made as asked."""


def main(argv: list[str]) -> int:
    """Write all of it, or nothing."""
    if len(argv) > 1:
        raise app.UsageError(f"expected no arguments, got {argv[1:]}.")
    try:
        release(Path(_OUT.value).absolute())
    except (ReleaseError, CheckpointError, PresetError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def release(out: Path) -> None:
    """Makes the folder `out` by the flags, and prints its UPLOAD.txt."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ReleaseError(f"--out must be a new or an empty folder, got {out}. Name another.")
    state, hubs, small, names = _commit(), _hubs(_HUB.value), slim(), list_presets(weights=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as work:
        made = Path(work, "made")
        version = build(Path(work), made / "dist", small, hubs)
        if _FORMER.value:
            shutil.copytree(_FORMER.value, made / "hub")
        publish_hub.write_tree(names, made / "hub", verified=_VERIFY.value, data_dir=_DATA_DIR.value, progress=True)
        (made / "hub" / ".lock").unlink(missing_ok=True)
        limited = [name for name in names if not free(read_preset(name))]
        text = COMMANDS.format(
            version=version,
            commit=state,
            small=len(small),
            hubs=f"the hub {' '.join(hubs)}" if hubs else "no hub",
            presets=len(names),
            limited=", ".join(limited) or "none",
        )
        (made / "UPLOAD.txt").write_text(text)
        files = sorted(path for path in made.rglob("*") if path.is_file())
        sums = [f"{sha256(path)}  {path.relative_to(made).as_posix()}\n" for path in files]
        (made / "SHA256SUMS").write_text("".join(sums))
        made.replace(out)
    print(text, end="")


def slim() -> list[str]:
    """The presets whose weights are in sdist and wheel: the demo's and the small ones, none of them restricted."""
    presets = [read_preset(name) for name in list_presets(weights=True)]
    allowed = {preset.name: preset.files[store.WEIGHTS]["bytes"] for preset in presets if free(preset)}
    if store.DEMO not in allowed:
        raise ReleaseError(f"the demo's preset {store.DEMO} must have weights that are free to use.")
    return [name for name, size in allowed.items() if size < SMALL or name == store.DEMO]


def free(preset: Preset) -> bool:
    """Whether no licence restricts what the weights may be used for."""
    return preset.licence["weights"] == "Apache-2.0" and not restriction_text(preset)


def build(work: Path, dist: Path, small: list[str], hubs: tuple[str, ...]) -> str:
    """Builds an sdist of a copy of the working tree, and a wheel of the sdist.

    The same commit gives the same bytes, with the same releases of Python and setuptools.

    Args:
        work: a folder for the copies.
        dist: where the two go.
        small: the presets whose weights they have.
        hubs: the roots of the hubs that they name.

    Returns:
        The version of flowzoo.
    """
    epoch = int(_git("log", "-1", "--format=%ct"))
    _copy(work / "tree", small, hubs, epoch)
    dist.mkdir(parents=True)
    _setuptools("sdist", work / "tree", dist, epoch)
    (sdist,) = dist.glob("*.tar.gz")
    _normalise(sdist, epoch)
    with tarfile.open(sdist) as archive:
        archive.extractall(work, filter="data")
    _setuptools("wheel", work / sdist.name.removesuffix(".tar.gz"), dist, epoch)
    (wheel,) = dist.glob("*.whl")
    if wheel.stat().st_size >= LIMIT:
        raise ReleaseError(f"the wheel must have less than {LIMIT:,} bytes, got {wheel.stat().st_size:,}.")
    return wheel.name.split("-")[1]


def _commit() -> str:
    changes = _git("status", "--porcelain")
    if changes and not _DIRTY.value:
        raise ReleaseError(f"expected a working tree without changes, got:\n{changes}\nCommit them, or pass --dirty.")
    return _git("rev-parse", "HEAD") + (" with changes that are not committed" if changes else "")


def _hubs(urls: str) -> tuple[str, ...]:
    if "@" in urls:
        raise ReleaseError("--hub must have no user and no password, since anyone will be able to read it.")
    mirrors.set_hub(*urls.split())
    named = mirrors.hubs()
    mirrors.set_hub()  # what is released comes from the checkout
    return named


def _copy(target: Path, small: list[str], hubs: tuple[str, ...], epoch: int) -> None:
    """Copies what git tracks or would track, with times and modes that don't depend on this machine."""
    for name in _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        source, parts = ROOT / name, Path(name).parts
        if source.is_file() and (parts[0] != "checkpoints" or parts[1] in small):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
    if hubs:
        (target / mirrors.STAMPED.relative_to(ROOT)).write_text("".join(f"{url}\n" for url in hubs))
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (epoch, epoch))


def _normalise(sdist: Path, epoch: int) -> None:
    """Removes from an archive who made it, when, and in which order."""
    with tarfile.open(sdist) as archive:
        held = {member.name: (member, archive.extractfile(member)) for member in archive}
        held = {name: (member, file.read() if file else b"") for name, (member, file) in held.items()}
    with (
        sdist.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for _, (member, content) in sorted(held.items()):
            member.uid, member.gid, member.uname, member.gname = 0, 0, "", ""
            member.mtime, member.pax_headers = epoch, {}
            archive.addfile(member, io.BytesIO(content))


def _setuptools(what: str, source: Path, target: Path, epoch: int) -> None:
    """Runs setuptools' own hook, without a network."""
    command, environment = [sys.executable, "-c", HOOK, what, str(target)], {"SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(command, cwd=source, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(f"setuptools made no {what}:\n{done.stderr[-2000:]}\nRun: pip install -e '.[test]'")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(f"git {arguments[0]} failed: {done.stderr.strip()} A release is made in a clone.")
    return done.stdout.strip()


if __name__ == "__main__":
    flags.mark_flag_as_required("out")
    app.run(main)
