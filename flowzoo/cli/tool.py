"""A command as an absl script of tools/: each of its options, declared in the command, becomes a flag."""

from __future__ import annotations

import argparse
import os
import sys
from types import ModuleType
from typing import Any

from absl import app, flags

from flowzoo.cli import main as command_line

NAMES = "preset"  # the flag of the names that a command takes without an option


def run(command: ModuleType) -> None:
    """Parses the flags of this process, runs the command as `flowzoo` does, and exits with its code.

    `--max-steps=5` is `--max_steps=5` here, a preset is `--preset=NAME`, and a flag may be given as `--nosmoke`.

    Args:
        command: a module of `flowzoo.cli`, as in `flowzoo.cli.main.COMMANDS`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(add_help=False, parents=[command_line.common()])
    command.add_arguments(parser)
    actions = parser._actions
    for action in actions:
        _define(action)
    app.run(lambda argv: command_line.main([command.NAME, *_words(argv, actions)]))


def _define(action: argparse.Action) -> None:
    name, doc = _flag(action), action.help or ""
    where = {"module_name": sys.argv[0]}  # else `--help` would not show it
    if action.nargs == 0:
        flags.DEFINE_bool(name, False, doc, **where)
    elif action.choices:
        flags.DEFINE_enum(name, None, [*action.choices], doc, **where)
    elif action.nargs == "*":
        flags.DEFINE_list(name, None, doc, **where)
    else:
        flags.DEFINE_string(name, None, doc, **where)
    if action.required and action.nargs != "*":
        flags.mark_flag_as_required(name)


def _flag(action: argparse.Action) -> str:
    return action.dest if action.option_strings else NAMES


def _words(argv: list[str], actions: list[argparse.Action]) -> list[str]:
    """The command line that says what the flags say; values are checked where they are declared."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments {argv[1:]}: give flags as --name=value.")
    words = []
    for action in actions:
        value: Any = flags.FLAGS[_flag(action)].value
        if not value:
            continue
        if action.nargs == 0:
            words.append(action.option_strings[0])
        elif action.option_strings:
            words.append(f"{action.option_strings[0]}={value}")
        else:
            words += value if isinstance(value, list) else [value]
    return words
