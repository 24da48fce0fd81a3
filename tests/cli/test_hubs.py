"""The commands around hubs: download, publish to a hub, and the cache."""

import json
import os
from pathlib import Path

import pytest
from filelock import FileLock

from flowzoo.cli import doctor
from flowzoo.cli.main import BAD_INPUT, CHECK_FAILED, OK, main
from flowzoo.hub import cache as caches
from flowzoo.hub import mirrors, store
from flowzoo.zoo import verify
from tests.hub import trees
from tests.hub.conftest import cache, hub, tree  # noqa: F401 - fixtures

CHECKOUT = store.CHECKOUT


def listed(capsys, *arguments, code=OK):
    assert main([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_download_then_list_verify_and_clean(hub, cache, capsys):  # noqa: F811
    downloaded = listed(capsys, "download", "tiny@1")
    assert {entry["file"] for entry in downloaded} == {"model.weights.h5", "samples.png", "history.csv"}
    assert all(Path(entry["path"]).stat().st_size == entry["bytes"] for entry in downloaded)
    there = listed(capsys, "cache", "list")
    assert there["folder"] == str(cache) and len(there["files"]) == 4  # and the preset's JSON
    assert "tiny@1 model.weights.h5" in {file["file"] for file in there["files"]}
    assert {file["state"] for file in listed(capsys, "cache", "verify")["files"]} == {"whole"}

    weights = next(Path(entry["path"]) for entry in downloaded if entry["file"] == "model.weights.h5")
    weights.write_bytes(b"damaged")
    part = weights.with_name(f"{weights.name}.part")
    part.write_bytes(trees.content()[:10])
    assert main(["cache", "verify"]) == CHECK_FAILED
    out = capsys.readouterr().out
    assert "has sha256" in out and "partial" in out and "5 files" in out
    assert [file["state"] for file in listed(capsys, "cache", "clean", "--dry-run")["files"]] == ["would go"] * 2
    assert weights.exists() and part.exists()
    with FileLock(weights.with_name(f"{weights.name}.lock")):  # as a download holds it
        assert [file["state"] for file in listed(capsys, "cache", "clean")["files"]] == ["in use, left"] * 2
    assert len(listed(capsys, "cache", "clean")["files"]) == 2 and not weights.exists() and not part.exists()
    assert len(listed(capsys, "cache", "clean", "--all")["files"]) == 3 and caches.entries() == {}
    assert trees.weights().read_bytes() == trees.content()  # the hub has it still


def test_a_cache_that_is_a_file_is_refused(tmp_path, cache, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setenv("FLOWZOO_HOME", os.devnull)
    assert main(["cache", "list"]) == BAD_INPUT
    assert (
        capsys.readouterr().err
        == f"flowzoo: error: the cache {os.devnull} is not a folder. Name another one by $FLOWZOO_HOME.\n"
    )


def test_what_is_no_entry_is_left_alone(cache):  # noqa: F811
    mine = cache / "sha256" / "ab" / "mine" / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.touch()
    assert caches.entries() == {} and main(["cache", "clean", "--all"]) == OK and mine.exists()


def test_publish_to_a_hub(cache, capsys, monkeypatch):  # noqa: F811
    off = verify.Check("log_likelihood", 1.0, 2.0, 0.1, "")
    report = verify.Report("planar-rezende-u1", verify.OFFICIAL, (off,))
    monkeypatch.setattr(verify, "verify", lambda *_, **__: report)
    monkeypatch.setattr(store, "CHECKOUT", CHECKOUT)
    assert main(["publish", "planar-rezende-u1", "--hub=hub"]) == BAD_INPUT and not Path("hub").exists()
    assert "OFF log_likelihood" in capsys.readouterr().err
    assert listed(capsys, "publish", "planar-rezende-u1", "--hub=hub", "--no-verify") == {"planar-rezende-u1": [1]}
    assert Path("hub/index.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["download"], "expected presets or --all, got neither"),
        (["download", "x", "--all"], "expected presets or --all, got both"),
        (["download", "glow-cifar10-paper"], "it is a recipe only"),
        (["cache", "list", "--all"], "--all and --dry-run go with `clean`, got `list`"),
        (["publish", "glow-mnist", "--hub=hub", "--force"], "go with --workdir, got --hub"),
        (["publish", "glow-mnist", "--hub=hub", "--draws=2"], "go with --workdir, got --hub"),
        (["publish", "glow-mnist", "--workdir=run", "--no-verify"], "go with --hub, got --workdir"),
        (["publish", "--hub=hub"], "expected presets or --all, got neither"),
        (["publish", "a", "b", "--workdir=run"], "the training of one preset, got 2"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message, cache, capsys):  # noqa: F811
    assert main(arguments) == BAD_INPUT
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_doctor_tells_where_files_are_looked_for(cache, tmp_path, monkeypatch):  # noqa: F811
    assert [ok for ok, _ in doctor.places()] == [True] * 3
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLOWZOO_HOME", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("FLOWZOO_OFFLINE", "1")
    monkeypatch.setenv("FLOWZOO_HUB", "file:///srv/zoo https://example.org/zoo")
    (first, kept), (_, _), (third, hubs) = doctor.places()
    assert not first and kept.endswith("0 files, 0 bytes, not writable: name another")
    assert third and "file:///srv/zoo https://example.org/zoo (FLOWZOO_OFFLINE" in hubs
    assert "this release" not in hubs
    monkeypatch.setattr(mirrors, "STAMPED", tmp_path / "hubs.txt")
    mirrors.STAMPED.write_text("https://me:secret@example.org/zoo\n")
    monkeypatch.delenv("FLOWZOO_HUB")
    line = list(doctor.places())[2][1]
    assert "https://me:****@example.org/zoo (named by this release; $FLOWZOO_HUB names others)" in line
    monkeypatch.setenv("FLOWZOO_HUB", "nowhere")
    assert [ok for ok, _ in doctor.places()] == [True, True, False]
    ((ok, line),) = doctor.weights([store.DEMO])  # which are not here
    assert not ok and "a hub must be a URL" in line
    monkeypatch.setenv("FLOWZOO_HUB", "https://me:secret@example.org/zoo https://other.example")
    assert "https://me:****@example.org/zoo https://other.example" in list(doctor.places())[2][1]
    absent = dict(line.split(": ", 1) for _, line in doctor.data_sets())
    assert absent["data set mnist"] == "not prepared: python tools/fetch_data.py --dataset=mnist"
    assert absent["data set rezende_u1"] == "drawn"
