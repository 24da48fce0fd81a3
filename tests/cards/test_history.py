"""No card points to weights or to code that nobody can get."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from flowzoo.cards.card import summary
from flowzoo.cards.page import markdown_page
from flowzoo.data import specs
from flowzoo.hub.presets import list_presets, read_preset
from flowzoo.record.preset import Preset
from flowzoo.record.recipe import names_preset
from tests.record import records

ROOT = Path(__file__).parents[2]
TRAINED = list_presets(weights=True)


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


def in_history(commit: str) -> bool:
    found = subprocess.run(["git", "merge-base", "--is-ancestor", commit, "HEAD"], cwd=ROOT, capture_output=True)
    return found.returncode == 0


@pytest.fixture(scope="module")
def history():
    """The whole history; a copy without it, or with a part of it, can't be asked what is in no commit."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("this copy of flowzoo is not a git repository")
    if git("rev-parse", "--is-shallow-repository").strip() != b"false":
        pytest.skip("this clone has a part of the history only")


def start(preset: Preset) -> tuple[str, str]:
    what, _, digest = preset.provenance.get("init_from", "").partition(", sha256 ")
    return what, digest


@pytest.mark.parametrize("name", TRAINED)
def test_a_card_points_to_published_weights_only(name):
    preset, (what, digest) = read_preset(name), start(read_preset(name))
    known = {file["sha256"] for file in preset.files.values()} | ({digest} if names_preset(what) else set())
    card = markdown_page(preset) + summary(preset)
    shown = re.findall(r"sha256 `?([0-9a-f]+)", card)
    assert len(shown) >= len(preset.files)
    assert all(any(one.startswith(part) for one in known) for part in shown)
    assert ".weights.h5" not in card.replace("`model.weights.h5`", "")
    assert ("which were not kept" in card) == bool(what and not names_preset(what))


@pytest.mark.parametrize("name", [name for name in TRAINED if names_preset(start(read_preset(name))[0])])
def test_the_weights_a_card_points_to_are_in_a_commit(history, name):
    what, digest = start(read_preset(name))
    path = f"checkpoints/{what.partition('@')[0]}/model.weights.h5"
    objects = git("rev-list", "--objects", "HEAD", "--", path).decode().splitlines()
    blobs = [line.split()[0] for line in objects if line.endswith(f" {path}")]
    assert digest in {hashlib.sha256(git("cat-file", "blob", blob)).hexdigest() for blob in blobs}


def test_a_source_that_no_commit_has_is_noted():
    for preset in map(read_preset, TRAINED):
        run = preset.provenance
        assert re.fullmatch("[0-9a-f]{40}", run["source_revision"]) or run.get("source_note"), preset.name
        assert run.get("source_note", "") in markdown_page(preset)


@pytest.mark.parametrize("name", TRAINED)
def test_a_source_without_a_note_is_in_the_history(history, name):
    run = read_preset(name).provenance
    revision, note = run["source_revision"], run.get("source_note", "")
    assert in_history(revision) != bool(note), "add `source_note` to `provenance`: why no commit has this source"
    commits = re.findall(r"\b[0-9a-f]{7,40}\b", note)
    assert all(map(in_history, commits))


@pytest.mark.parametrize(
    ("revision", "note", "said"),
    [
        ("a" * 40, None, f"source revision `{'a' * 12}`, "),
        ("a" * 40 + "-dirty", None, f"source revision `{'a' * 12}` with changes that were not committed, "),
        ("b" * 40, "lost", f"source revision `{'b' * 12}` (lost), "),
        ("unknown", None, "source revision unknown, "),
    ],
)
def test_a_card_says_what_is_not_known_of_its_source(revision, note, said):
    record = records.published()
    record["provenance"] |= {"source_revision": revision} | ({"source_note": note} if note else {})
    assert said in markdown_page(Preset.from_dict(record))


def test_a_card_has_the_seed_of_the_binarisation():
    assert specs.split_seed("mnist_binary", "test") == [*b"mnist_binary", 2]
    assert 'default_rng([*b"mnist_binary", 2])' in markdown_page(read_preset("vae-mnist-binary"))
