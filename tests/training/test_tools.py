"""Tools as a user runs them: their flags are the options of the commands."""

import argparse
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flowzoo.cli import evaluate, publish, train
from flowzoo.training.distributed.launch import PEER_LOST, tf_config
from tests.training import toy

ROOT = Path(__file__).parents[2]


def tool(name, *flags, folder, **environment):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / name), *flags],
        cwd=folder,
        env=os.environ | {"TFDS_DATA_DIR": str(folder / "nothing"), "TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_train_and_evaluate(tmp_path):
    toy.preset(toy.IMAGES).write(tmp_path / "toy.json")
    trained = tool("train.py", "--preset=toy.json", "--workdir=run", "--smoke", folder=tmp_path)
    assert trained.returncode == 0, trained.stderr[-3000:]
    assert trained.stdout.startswith("steps at step 4; best validation")
    assert json.loads((tmp_path / "run" / "result.json").read_text())["command"].endswith("--smoke")
    absent = tool("evaluate.py", "--workdir=run", folder=tmp_path)
    assert absent.returncode == 2 and "flowzoo: error: Expected the data set" in absent.stderr
    assert "Traceback" not in absent.stderr


def test_a_wrong_preset_is_one_line(tmp_path):
    wrong = tool("train.py", "--preset=glow-fashion-mnits", "--workdir=run", folder=tmp_path)
    assert wrong.returncode == 2 and "Did you mean 'glow-fashion-mnist'?" in wrong.stderr
    assert "Traceback" not in wrong.stderr and not (tmp_path / "run").exists()


def test_a_wrong_recipe_is_one_line_and_where_only_with_debug(tmp_path):
    text = toy.preset(toy.IMAGES).to_json()
    (tmp_path / "mine.json").write_text(text.replace('"decay": "cosine"', '"decay": "linear"'))
    wrong = tool("train.py", "--preset=mine.json", "--workdir=run", "--debug", folder=tmp_path)
    assert wrong.returncode == 1 and "mine.json: `training[0].decay` must be" in wrong.stderr
    assert "Traceback" in wrong.stderr and not (tmp_path / "run").exists()


def test_a_port_in_use_is_a_matter_for_a_restart(tmp_path):
    toy.preset(toy.IMAGES).write(tmp_path / "toy.json")
    with socket.create_server(("0.0.0.0", 0)) as occupied:
        config = tf_config([f"127.0.0.1:{occupied.getsockname()[1]}", "127.0.0.1:1"], 0)
        flags = ("--preset=toy.json", "--workdir=run", "--strategy=multiworker")
        lost = tool("train.py", *flags, folder=tmp_path, TF_CONFIG=config)
    assert lost.returncode == PEER_LOST and "127.0.0.1" in lost.stderr, lost.stderr[-3000:]
    assert "Traceback" not in lost.stderr and not (tmp_path / "run").exists()


def test_a_tpu_by_name_needs_no_strategy(tmp_path):
    toy.preset(toy.IMAGES).write(tmp_path / "toy.json")
    absent = tool("train.py", "--preset=toy.json", "--workdir=run", "--tpu=grpc://127.0.0.1:1", folder=tmp_path)
    assert absent.returncode == 2 and "strategy 'tpu' found no TPU 'grpc://127.0.0.1:1'" in absent.stderr


@pytest.mark.parametrize("command", [train, evaluate, publish])
def test_a_tool_has_the_options_of_its_command(command, tmp_path):
    parser = argparse.ArgumentParser(add_help=False)
    command.add_arguments(parser)
    shown = tool(f"{command.NAME}.py", "--help", folder=tmp_path).stdout
    for action in parser._actions:
        name = action.dest if action.option_strings else "preset"
        assert f"--[no]{name}:" in shown or f"--{name}:" in shown, name
    assert len((ROOT / "tools" / f"{command.NAME}.py").read_text().splitlines()) < 20
