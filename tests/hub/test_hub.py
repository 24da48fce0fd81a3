"""A hub is written all or nothing and read back; files are looked for in one order, and revisions never change."""

import dataclasses
import json
import os
import shutil
import socket
from unittest import mock

import numpy as np
import pytest

import flowzoo
from flowzoo.cli import doctor
from flowzoo.cli.main import OK, main
from flowzoo.core.errors import CheckpointError, HubError, PresetError
from flowzoo.core.files import sha256
from flowzoo.hub import cache as caches
from flowzoo.hub import index, mirrors, store, transport
from flowzoo.hub.presets import read_preset
from flowzoo.zoo import publish_hub as hubs
from flowzoo.zoo import verify
from tests.hub import server, trees
from tests.zoo import tiny

OWN = "planar-rezende-u1"  # small, and in the checkout
CHECKOUT = store.CHECKOUT


def test_what_is_published_is_read_back_from_file_and_http(tree, cache, hub):
    for url in (tree.as_uri(), hub.url):
        shutil.rmtree(cache, ignore_errors=True)
        flowzoo.set_hub(url)
        for revision in (1, 2):
            preset = read_preset(f"tiny@{revision}")
            assert (preset.name, preset.revision) == ("tiny", revision)
            for file, expected in preset.files.items():
                path = store.checked_file(preset, store.folder(f"tiny@{revision}"), file)
                assert sha256(path) == expected["sha256"] and path.is_relative_to(cache)
            assert trees.weights(f"tiny@{revision}").read_bytes() == trees.content(revision)


def test_what_was_loaded_once_is_not_asked_for_again(hub):
    trees.weights()
    asked = len(hub.requests)
    trees.weights()
    assert len(hub.requests) == asked == 3  # index, preset, weights


def test_own_presets_come_from_the_cache_then_the_checkout_then_a_hub(tree, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "CHECKOUT", CHECKOUT)
    assert trees.weights(OWN) == CHECKOUT / OWN / store.WEIGHTS == trees.weights(f"{OWN}@1")
    hubs._write([OWN], tmp_path / "hub")
    monkeypatch.setattr(store, "CHECKOUT", tmp_path / "checkout")
    with pytest.raises(CheckpointError, match="is missing"):
        trees.weights(OWN)
    monkeypatch.setenv("FLOWZOO_HUB", f"{tree.as_uri()} {(tmp_path / 'hub').as_uri()}/")  # the second one has it
    kept = trees.weights(OWN)
    assert kept.is_relative_to(cache) and kept.name == store.WEIGHTS
    monkeypatch.setattr(store, "CHECKOUT", CHECKOUT)
    monkeypatch.delenv("FLOWZOO_HUB")
    assert trees.weights(OWN) == kept
    kept.write_bytes(b"damaged")
    assert trees.weights(OWN) == CHECKOUT / OWN / store.WEIGHTS


def test_files_of_a_preset_given_by_path_lie_beside_it_only(hub, tmp_path):
    path = trees.publish(tmp_path)
    assert trees.weights(path) == tmp_path / "tiny" / store.WEIGHTS
    (tmp_path / "tiny" / store.WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match="Put the file that was published there"):
        trees.weights(path)
    assert hub.requests == []


@pytest.mark.parametrize("wanted", ["tiny@3", "tiny@999999999"])
def test_an_unknown_revision_lists_the_known_ones(hub, wanted):
    with pytest.raises(PresetError, match=r"unknown revision \d+ of the preset 'tiny'\. Known: 1, 2\."):
        read_preset(wanted)


def test_without_a_hub_the_own_revision_is_known(cache):
    assert read_preset(f"{OWN}@1") == read_preset(OWN)
    with pytest.raises(PresetError, match=r"Known: 1\. No hub is set: name one by flowzoo\.set_hub"):
        read_preset(f"{OWN}@7")
    with pytest.raises(PresetError, match=r"Known: none\..* Did you mean 'glow-mnist'"):
        read_preset("glow-mnits@1")
    with pytest.raises(PresetError) as error:
        read_preset("xyzzy@1")
    assert str(error.value).count("Known") == 1


def test_a_preset_of_a_hub_without_its_revision_gets_a_hint(hub, capsys):
    with pytest.raises(PresetError, match=r"unknown preset 'tiny'\. .*known by revision: tiny@1, tiny@2\."):
        read_preset("tiny")
    assert main(["info", "tiny@1"]) == OK
    assert "MiB, not here: flowzoo download tiny@1" in capsys.readouterr().out
    where = trees.weights().parent
    assert main(["info", "tiny@1"]) == OK
    assert f"MiB, {where}\n" in capsys.readouterr().out


@pytest.mark.parametrize("wanted", ["tiny@", "tiny@0", "tiny@one", "@1", "../tiny@1", "/tiny@1", "a\0b@1", "tiny@1@2"])
def test_a_revision_is_written_as_a_number_after_a_plain_name(cache, wanted):
    with pytest.raises(PresetError, match="`name` or `name@revision`"):
        read_preset(wanted)


def test_a_revision_in_the_cache_needs_no_hub(hub, cache):
    path = trees.weights()
    flowzoo.set_hub()
    assert trees.weights() == path
    path.unlink()
    with pytest.raises(CheckpointError, match=r"Revision 1 is not the one of this flowzoo\. No hub is set") as error:
        trees.weights()
    assert str(path) in str(error.value) and "checkout" not in str(error.value)  # where it would be, and nowhere else
    record = next((cache / "presets").glob("*.json"))
    record.write_bytes(record.read_bytes().replace(b"tiny", b"tinY", 1))
    with pytest.raises(CheckpointError, match=rf"tiny@1: {record} has sha256 .*\. No hub is set"):
        trees.weights()
    flowzoo.set_hub(hub.url)
    assert read_preset("tiny@1").name == "tiny"  # healed


def test_errors_do_not_tell_passwords(hub):
    flowzoo.set_hub(hub.url.replace("//", "//me:secret@"))
    with pytest.raises(PresetError, match="Known: 1, 2"):
        trees.weights("tiny@3")
    hub.faults = ["gone"] * 9
    with pytest.raises(HubError, match=r"http://me:\*\*\*\*@127\.0\.0\.1:\d+/sha256") as error:
        trees.weights()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/zoo", "https://example.org/zoo"),
        ("https://example.org/zoo@1/b", "https://example.org/zoo@1/b"),
        ("https://example.org:8080/zoo", "https://example.org:8080/zoo"),
        ("hf://datasets/org/zoo@v1", "hf://datasets/org/zoo@v1"),
        ("file:///srv/zoo@1", "file:///srv/zoo@1"),
        ("https://me:secret@example.org/zoo", "https://me:****@example.org/zoo"),
        ("https://me:se:cret@example.org", "https://me:****@example.org"),
        ("https://me:p@secret@example.org", "https://me:****@example.org"),
        ("https://me:pa/secret@example.org", "https://me:****@example.org"),
        ("https://me:pa?secret@example.org", "https://me:****@example.org"),
        ("https://me:pa#secret@example.org", "https://me:****@example.org"),
        ("https://:secret@example.org", "https://:****@example.org"),
        ("https://secret@example.org", "https://****@example.org"),  # a token
        ("https://me:secret@example.org/zoo@1", "https://me:****@1"),
        ("file://me:secret@host", "file://me:****@host"),
        ("me:secret@host", "me:****@host"),
        ("https://me:pa secret@example.org", "https://me:****@example.org"),
        ("https://me:pa[secret@example.org", "https://me:****@example.org"),
    ],
)
def test_passwords_are_shown_nowhere(url, shown, cache, monkeypatch):
    if " " not in url:
        assert mirrors.shown(f"{url}: status 404.") == f"{shown}: status 404."
    monkeypatch.setenv("FLOWZOO_HUB", url.replace(" ", ""))
    assert "secret" not in str(list(doctor.places()))
    try:
        flowzoo.set_hub(url)
    except ValueError as error:
        assert "secret" not in str(error) and shown in str(error)
    else:
        assert mirrors.shown(" ".join(mirrors.hubs())) == shown


def test_a_password_with_a_slash_is_refused_before_a_library_cuts_it_there(cache):
    with pytest.raises(ValueError, match=r"must have %2F for /.* got 'https://me:\*\*\*\*@example\.org'"):
        flowzoo.set_hub("https://me:pa/secret@example.org")
    for url in ("http://me:12/secret@127.0.0.1:9", "https://me:pa@ss/secret@example.org"):  # as port, or as host
        with pytest.raises(ValueError, match=r"must have %2F .*and %40 for @ in a path; got .*me:\*\*\*\*@") as error:
            flowzoo.set_hub(url)
        assert "secret" not in str(error.value)
    flowzoo.set_hub("https://me:pa%2Fsecret@example.org")


def test_offline_opens_no_socket(tree, hub, cache, monkeypatch):
    path = trees.weights()

    def opened(*_, **__):
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, opened)
    monkeypatch.setenv("FLOWZOO_OFFLINE", "1")
    assert trees.weights() == path
    with pytest.raises(HubError, match=r"unknown revision 2 .*Known: 1\. .*FLOWZOO_OFFLINE=1 forbids the network"):
        trees.weights("tiny@2")
    path.write_bytes(b"damaged")
    with pytest.raises(HubError, match=r"must have 200000 bytes, got 7\..*FLOWZOO_OFFLINE=1 forbids"):
        trees.weights()
    flowzoo.set_hub(tree.as_uri())  # no network
    assert trees.weights("tiny@2").read_bytes() == trees.content(2)


def test_hubs_are_urls(cache, monkeypatch):
    assert mirrors.hubs() == ()
    monkeypatch.setenv("FLOWZOO_HUB", " https://a.example/zoo/  gs://b ")
    assert mirrors.hubs() == ("https://a.example/zoo", "gs://b")
    monkeypatch.setenv("FLOWZOO_HUB", "FILE:///Zoo")
    assert mirrors.hubs() == ("file:///Zoo",)
    flowzoo.set_hub()
    assert mirrors.hubs() == ()
    with pytest.raises(ValueError, match=r"got 'https://me:\*\*\*\*@a b'"):
        flowzoo.set_hub("https://me:secret@a b")
    with pytest.raises(ValueError, match=r"must have no \? and no #.* got 'https://a\.example/zoo\.\.\.'"):
        flowzoo.set_hub("https://a.example/zoo?token=secret")
    for wrong in ("/srv/zoo", "file://host/zoo", "https://a b", "C:\\zoo", "http://[::", 3):
        with pytest.raises(ValueError, match=r"hub must be"):
            flowzoo.set_hub(wrong)


def test_the_cache_is_where_the_platform_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.delenv("FLOWZOO_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert caches.home().name == "flowzoo"
    monkeypatch.setenv("FLOWZOO_HOME", "~/zoo")  # as where no shell expands it
    monkeypatch.setenv("HOME", str(tmp_path))
    assert caches.home() == tmp_path / "zoo"


def test_other_filesystems_are_read_through_fsspec(tree, cache):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.put(str(tree), "/zoo", recursive=True)
    flowzoo.set_hub("memory://zoo")
    assert trees.weights().read_bytes() == trees.content()
    memory.rm(f"/zoo/{index.address(trees.digest(2))}")
    with pytest.raises(HubError, match="memory://zoo/sha256"):
        trees.weights("tiny@2")
    flowzoo.set_hub("nosuchscheme://zoo")
    with pytest.raises(HubError, match="nosuchscheme"):
        trees.weights("tiny@2")


def test_earlier_revisions_stay_and_none_changes(tmp_path):
    root = trees.tree(tmp_path, revisions=(2,))
    assert set(hubs._write([trees.publish(tmp_path / "one", 1)], root)["tiny"]) == {"1", "2"}
    before = (root / index.INDEX).read_bytes()
    hubs._write([tmp_path / "one" / "tiny.json"], root)  # the same again
    assert (root / index.INDEX).read_bytes() == before
    changed = tiny.edit(tmp_path / "one" / "tiny.json", lambda record: record.update(description="other"))
    with pytest.raises(PresetError, match=r"tiny@1 is in the hub with sha256 .* raise `revision`"):
        hubs._write([changed], root)
    assert (root / index.INDEX).read_bytes() == before


def test_what_was_not_measured_is_not_published(tmp_path):
    good = trees.publish(tmp_path, name="good")
    path = tiny.edit(trees.publish(tmp_path, name="untrained"), lambda record: record.pop("files"))
    with pytest.raises(CheckpointError, match="has no measured numbers, so no hub gets it"):
        hubs.write_tree([good, path], tmp_path / "hub")
    for change, message in (
        (
            lambda record: record.pop("certificate"),
            "lacks the certificate of test inputs, so no hub gets it. Run: flowzoo verify",
        ),
        (lambda record: record["certificate"].pop("test"), "lacks the certificate of test inputs"),
        (
            lambda record: record["certificate"]["sampled"].update(log_det_error=0.1),
            "must invert, so no hub gets it: log_det",
        ),
    ):
        path = tiny.edit(trees.publish(tmp_path, name="uncertified"), change)
        with pytest.raises(CheckpointError, match=message):
            hubs.write_tree([good, path], tmp_path / "hub")
    with pytest.raises(CheckpointError, match="it is a recipe only"):
        hubs.write_tree(["glow-cifar10-paper"], tmp_path / "hub")
    damaged = trees.publish(tmp_path, name="damaged")
    (tmp_path / "damaged" / "samples.png").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"samples\.png must have"):
        hubs.write_tree([good, damaged], tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def test_the_tool_writes_a_hub(tmp_path, fresh_process):
    code = "import runpy, sys; runpy.run_path('tools/publish.py', run_name='__main__')"
    out = fresh_process(code, "--no_verify", f"--hub={tmp_path / 'hub'}", f"--preset={OWN}")
    assert out == f"{OWN}: revisions 1\n"
    assert set(index.parse((tmp_path / "hub" / index.INDEX).read_bytes(), "index")) == {OWN}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record.update(family="nope"), "`family` must be one of"),
        (lambda record: record["config"].update(depth="many"), "refuses `config`: `depth` must be"),
        (lambda record: record["dataset"].update(name="nope"), r"`dataset\.name` must be one of"),
        (lambda record: record.pop("parameters"), "missing key `parameters`"),
        (lambda record: record.pop("provenance"), "missing key `provenance`"),
        (lambda record: record["metrics"].clear(), r"`metrics` must have at least one number, got none"),
        (
            lambda record: record["metrics"]["log_likelihood"].pop("value"),
            r"missing key `metrics\.log_likelihood\.value`",
        ),
        (lambda record: record["metrics"]["log_likelihood"].update(value=float("nan")), "NaN is not a finite number"),
        (lambda record: record.update(fingerprint="0" * 64), "expected .* parameters with fingerprint"),
    ],
)
def test_what_would_not_load_is_not_published(tmp_path, change, message):
    (tmp_path / "mine").symlink_to(CHECKOUT / OWN)
    path = tiny.edit(shutil.copy(store.PRESETS / f"{OWN}.json", tmp_path / "mine.json"), change)
    with pytest.raises((PresetError, CheckpointError), match=message):
        hubs.write_tree([path], tmp_path / "hub", verified=False)
    assert not (tmp_path / "hub").exists()


def test_a_card_that_lies_is_not_published(tmp_path, monkeypatch):
    whole, off = verify.Report("tiny", verify.OFFICIAL, ()), verify.Check("bits_per_dim", 1.0, 2.0, 0.1, "")
    report, asked = whole, []
    monkeypatch.setattr(verify, "verify", lambda name, **_: asked.append(name) or report)
    path = trees.publish(tmp_path)
    report = dataclasses.replace(whole, checks=(off,))
    with pytest.raises(CheckpointError, match=r"(?s)OFF  bits_per_dim .*The card of tiny is not verified"):
        hubs.write_tree([path], tmp_path / "hub")
    report = dataclasses.replace(whole, data="256 test images")
    with pytest.raises(CheckpointError, match=r"tiny was measured on 256 test images, which is too little"):
        hubs.write_tree([path], tmp_path / "hub")
    asked.clear()
    with pytest.raises(PresetError, match="unknown preset 'glow-mnits'"):
        hubs.write_tree([path, "glow-mnits"], tmp_path / "hub")  # before anything is measured
    assert not asked and not (tmp_path / "hub").exists()
    with pytest.raises(PresetError, match=r"the hub .*tiny\.json can't be written: .* is not a folder"):
        hubs.write_tree([path], path)
    assert not asked
    report = whole
    assert hubs.write_tree([path], tmp_path / "hub") == {"tiny": {"1": mock.ANY}}


def test_a_flow_goes_through_a_hub_from_training_to_load(altered, cache, tmp_path, monkeypatch):
    """Publish, verify, write the tree; load the same flow from file:// and http://."""
    monkeypatch.setattr(verify, "official_test", lambda *_: (flowzoo.data.fixture("fashion_mnist")[0][:64], None))
    record = json.loads(altered.read_text())
    assert hubs.write_tree([altered], tmp_path / "hub") == {"tiny": {"1": mock.ANY}}
    images = flowzoo.data.fixture("fashion_mnist")[0][:4]
    expected = flowzoo.load(altered).score(images)
    with server.serving(tmp_path / "hub") as running:
        for url in ((tmp_path / "hub").as_uri(), running.url):
            shutil.rmtree(cache, ignore_errors=True)
            flowzoo.set_hub(url)
            assert flowzoo.card("tiny@1").to_dict() == record
            np.testing.assert_array_equal(flowzoo.load("tiny@1").score(images), expected)


def test_a_failed_write_leaves_the_former_hub(tmp_path, monkeypatch):
    root = trees.tree(tmp_path, revisions=(1,))
    second, before = trees.publish(tmp_path / "two", 2), (root / index.INDEX).read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        hubs._write([second], root)
    monkeypatch.undo()
    assert (root / index.INDEX).read_bytes() == before
    assert set(hubs._write([second], root)["tiny"]) == {"1", "2"}


def test_an_index_of_a_later_flowzoo_says_so(tree, cache, tmp_path):
    later = json.loads((tree / index.INDEX).read_text()) | {"schema": 2}
    (tmp_path / index.INDEX).write_text(json.dumps(later))
    flowzoo.set_hub(tmp_path.as_uri())
    with pytest.raises(HubError, match=r"expected an index of schema 1, got 2\. Install a later flowzoo"):
        trees.weights()
    flowzoo.set_hub(tmp_path.as_uri(), tree.as_uri())  # the next hub will do
    assert trees.weights().read_bytes() == trees.content()


def test_a_hub_that_calls_one_preset_another_is_refused(tree, cache, tmp_path):
    swapped = json.loads((tree / index.INDEX).read_text())
    swapped["presets"]["tiny"]["1"] = swapped["presets"]["tiny"]["2"]
    shutil.copytree(tree, tmp_path / "hub")
    (tmp_path / "hub" / index.INDEX).write_text(json.dumps(swapped))
    flowzoo.set_hub((tmp_path / "hub").as_uri())
    with pytest.raises(PresetError, match="expected tiny@1, got tiny@2"):
        trees.weights()


def test_the_next_mirror_is_asked_when_one_fails(tree, cache, tmp_path):
    shutil.copytree(tree, tmp_path / "hub")
    (tmp_path / "hub" / index.address(trees.digest())).unlink()
    with server.serving(tmp_path / "hub") as first, server.serving(tree) as second:
        flowzoo.set_hub(first.url, second.url)
        assert trees.weights().read_bytes() == trees.content()
        assert first.asked_for(trees.digest()) and second.asked_for(trees.digest())


def test_a_mirror_that_failed_is_asked_last_from_then_on(tree, cache):
    with server.serving(tree) as dead, server.serving(tree) as second:
        dead.faults, dead.where = ["error"] * 99, ""
        flowzoo.set_hub(dead.url, second.url)
        assert trees.weights().read_bytes() == trees.content()
        assert trees.weights("tiny@2").read_bytes() == trees.content(2)
        assert len(dead.requests) == transport.ATTEMPTS and not dead.asked_for("sha256/")
        dead.faults, second.faults, second.where = [], ["error"] * 99, ""
        trees.weights().unlink()
        assert trees.weights().read_bytes() == trees.content()  # it may be back when no other answers
