"""Mutated presets and index files give a flowzoo error or a preset, and never touch what is outside the cache."""

import contextlib
import json
import shutil

import pytest

import flowzoo
from flowzoo.cards.page import markdown_page
from flowzoo.cli.main import OK, main
from flowzoo.core.errors import CheckpointError, PresetError
from flowzoo.hub import index
from flowzoo.hub.presets import read_preset
from flowzoo.record.preset import Preset
from flowzoo.record.schema import DEPTH, LIMIT
from flowzoo.training.model import build
from tests.hub import trees
from tests.record import records
from tests.record.mutate import mutated

COUNTS = [300, pytest.param(10_000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("count", COUNTS)
def test_mutated_presets(tmp_path, count, capsys):
    record = records.published()
    record["config"] |= {"depth": 1, "hidden": 2}
    text, read, built = json.dumps(record), 0, 0
    path = tmp_path / "tiny.json"
    for seed in range(count):
        path.write_bytes(mutated(text, seed))
        try:
            preset = flowzoo.card(path)
        except PresetError:
            continue
        read += 1
        assert Preset.from_dict(preset.to_dict()) == preset
        assert main(["info", str(path), "--json"]) == main(["info", str(path)]) == OK
        with pytest.raises(CheckpointError):  # there is no such weight file
            trees.weights(path)
        parts = ("family", "config", "dataset")  # as text, in which true is not 1
        if all(json.dumps(getattr(preset, key)) == json.dumps(record[key]) for key in parts):
            markdown_page(preset)
        else:
            with contextlib.suppress(PresetError):
                build(preset)
                built += 1
        capsys.readouterr()
    assert 0.05 * count < read < 0.7 * count and built  # all of it happens


@pytest.mark.parametrize("count", COUNTS)
def test_mutated_indices(tree, cache, tmp_path, count):
    text, loaded = (tree / index.INDEX).read_text(), 0
    root = tmp_path / "hub"
    shutil.copytree(tree, root)
    flowzoo.set_hub(root.as_uri())
    before = sorted(path for path in tmp_path.rglob("*") if not path.is_relative_to(cache))
    for seed in range(count):
        (root / index.INDEX).write_bytes(mutated(text, seed))
        shutil.rmtree(cache, ignore_errors=True)
        try:
            assert trees.weights().read_bytes() == trees.content()
            loaded += 1
        except (PresetError, CheckpointError):
            pass
        for path in cache.rglob("*"):
            assert path.resolve().is_relative_to(cache)
    assert before == sorted(path for path in tmp_path.rglob("*") if not path.is_relative_to(cache))
    assert 0.02 * count < loaded < 0.7 * count


@pytest.mark.parametrize("name", ["../x", "/x", "C:\\x", "a\0b", "..", ".hidden", "a/b", "", "a\n", "x" * 101, "é"])
def test_names_do_not_leave_their_folder(name, tree, cache, tmp_path):
    record = records.published()
    with pytest.raises(PresetError, match=r"`name` must be a plain name"):
        Preset.from_dict(record | {"name": name})
    record["files"]["model.weights.h5"]["sha256"] = name
    with pytest.raises(PresetError, match=r"`files\.model\.weights\.h5\.sha256` must be 64 hexadecimal digits"):
        Preset.from_dict(record)
    entry = {"sha256": "0" * 64, "bytes": 1, "files": {name: {"sha256": "0" * 64, "bytes": 1}}}
    for presets in ({name: {}}, {"tiny": {"1": entry}}):
        with pytest.raises(PresetError, match="key` must be a plain name"):
            index.parse(json.dumps({"schema": 1, "presets": presets}).encode(), "index")


def test_a_wrong_number_in_an_index_is_named_by_its_path():
    entry = {"sha256": "0" * 64, "bytes": 1, "files": {"a.b": {"sha256": "0" * 64, "bytes": 0}}}
    wrong = json.dumps({"schema": 1, "presets": {"good": {}, "tiny": {"1": entry}}}).encode()
    with pytest.raises(PresetError, match=r"`presets\.tiny\.1\.files\.a\.b\.bytes` must be an integer .*, got 0"):
        index.parse(wrong, "index")


def test_json_is_bounded(tmp_path):
    path = tmp_path / "tiny.json"
    path.write_bytes(b'"' + b"x" * LIMIT + b'"')
    with pytest.raises(PresetError, match=rf"expected at most {LIMIT} bytes"):
        read_preset(path)
    path.write_text(json.dumps(records.untrained() | {"config": json.loads("[" * DEPTH + "]" * DEPTH)}))
    with pytest.raises(PresetError, match=rf"expected at most {DEPTH} levels"):
        read_preset(path)
