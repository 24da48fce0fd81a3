"""docs/cli.md: its commands run in order, its table of exit codes is that of `--help`, and so are the commands."""

import functools
import json
import re
import shlex
from pathlib import Path

import numpy as np
from pyarrow import parquet

import flowzoo
from flowzoo.cli.main import COMMANDS, EXIT_CODES, OK, main, parser
from flowzoo.zoo import evaluate as zoo_evaluate
from flowzoo.zoo import load as zoo_load

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
NAME = "iaf-rezende-u4"


def test_its_commands_run_and_agree_with_the_library(capsys, monkeypatch):
    once = functools.cache(flowzoo.load)  # else each command would trace the flow anew
    for module in (zoo_load, zoo_evaluate):
        monkeypatch.setattr(module, "load", once)
    commands = re.search(r"```bash\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
    out = {}
    for command in commands:
        arguments = shlex.split(command)[1:]
        assert main(arguments) == OK, command
        out[arguments[0]] = capsys.readouterr().out
    flow = flowzoo.load(NAME)
    points = np.loadtxt("points.csv", delimiter=",", skiprows=1, dtype=np.float32)
    np.testing.assert_array_equal(points, flow.sample(100, seed=1))  # CSV loses no digit
    latents, scores = parquet.read_table("latents.parquet"), parquet.read_table("scores.parquet")
    np.testing.assert_allclose(np.stack([*latents], axis=1), flow.encode(points)[0], atol=1e-5)
    assert scores.column_names == ["index", "file", "nats"] and set(scores["file"].to_pylist()) == {"points.csv"}
    np.testing.assert_allclose(scores["nats"], -flow.score(points), rtol=1e-6)
    np.testing.assert_allclose(np.load("again.npy"), points, atol=1e-4)
    lines = np.loadtxt("lines.csv", delimiter=",", skiprows=1)
    np.testing.assert_array_equal(lines[:4, :2], [[0, 0], [0, 1], [0, 2], [1, 0]])
    np.testing.assert_allclose(lines[1::3, 2:], points, atol=1e-3)
    assert json.loads(out["evaluate"])["examples"] == 1000
    assert "model.weights.h5" in out["download"] and out["publish"] == f"{NAME}: revisions 1\n"


def test_exit_codes_are_those_of_the_help():
    table = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert [
        f"{int(code):5}  {what.replace('`--debug`', '--debug')}" for code, what in table
    ] == EXIT_CODES.splitlines()[1:]


def test_every_command_is_in_the_table_with_its_json():
    table = PAGE[: PAGE.index("## Files")]
    for command in COMMANDS:
        rows = [
            row
            for row in table.splitlines()
            if row.startswith("|") and re.search(rf"`{command.NAME}[ `]", row.partition(" | ")[0])
        ]
        assert len(rows) == 1, command.NAME
        if command.NAME not in ("list", "info"):
            assert rows[0].endswith("| yes |") == ("--json" in _options(command.NAME)), command.NAME


def test_every_help_has_examples_that_parse():
    for command in COMMANDS:
        for example in command.EXAMPLES.strip().splitlines():
            words = [word for word in shlex.split(example) if "=" not in word.partition("--")[0]]
            assert words[:2] == ["flowzoo", command.NAME]
            assert parser().parse_args(words[1:]).command == command.NAME


def _options(name):
    subparsers = next(action for action in parser()._actions if action.dest == "command")
    return subparsers.choices[name]._option_string_actions
