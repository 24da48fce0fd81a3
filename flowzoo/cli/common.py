"""Arguments that several subcommands share."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow


class Failed(Exception):
    """Work that was asked for rightly and did not succeed: one line and exit code 1."""


def one_line(error: Exception) -> str:
    """What an error says, in one line, without what a terminal would obey: hubs and files have their part in it."""
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def note(text: str) -> None:
    """Says on stderr what was assumed, so that results on stdout stay what they are."""
    print(f"flowzoo: note: {text}", file=sys.stderr, flush=True)


def add_preset(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """The first argument of most subcommands."""
    what = "a preset of `flowzoo list`, or its NAME@REVISION, or a .json"
    parser.add_argument("preset", metavar="NAME", nargs=nargs, help=what)


def add_files(parser: argparse.ArgumentParser, what: str, nargs: str = "+") -> None:
    """Files of examples or latents, as `reading.read` takes them."""
    parser.add_argument("files", nargs=nargs, metavar="FILE", help=what)
    add_columns(parser)


def add_columns(parser: argparse.ArgumentParser) -> None:
    """--columns, of tables."""
    split = "of .csv and .parquet files, in this order (all)"
    parser.add_argument("--columns", type=lambda text: text.split(","), metavar="NAME,...", help=split)


def add_label(parser: argparse.ArgumentParser) -> None:
    """The class, for presets that take one."""
    parser.add_argument("--label", type=int, metavar="CLASS", help="the class, for a class-conditional preset")


def add_condition(parser: argparse.ArgumentParser) -> None:
    """What a conditional preset is told: `told` reads it."""
    add_label(parser)
    what = "of a conditional preset: numbers for all, as 0.5,1.5, or a file with one row for each; of several by name"
    parser.add_argument("--condition", action="append", default=[], metavar="[NAME=]VALUE", help=what)


def add_noise_seed(parser: argparse.ArgumentParser) -> None:
    """The seed of what makes integers continuous."""
    parser.add_argument("--seed", type=int, default=0, help="seed of the dequantization noise (0)")


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Where data sets are."""
    parser.add_argument("--data-dir", metavar="DIR", help="TFDS' folder; TFDS' default if not given")


def told(flow: Flow, args: argparse.Namespace, count: int) -> Any:
    """The condition of `count` examples, by --label and --condition; None for a flow that takes none.

    Raises:
        ValueError: none was given where one is needed, a name that the flow does not know, or values that don't fit.
    """
    from flowzoo.core.space import ONE

    spaces, given = flow.condition.spaces, {}
    for text in args.condition:
        name, equals, value = text.partition("=")
        given |= {name: value} if equals and name in spaces else {ONE: text}
    label = ONE if flow.condition.labels else "label"
    if args.label is not None:
        given |= {label: str(args.label)}
    if flow.condition.labels and not given:
        raise ValueError(
            f"--label must be a class 0 ... {flow.condition.labels - 1} for this preset, got none. Pass one."
        )
    if set(given) != set(spaces):
        wanted = ", ".join(f"{name} ({space.described()})" for name, space in spaces.items()) or "none"
        raise ValueError(f"--condition must give {wanted} for this preset, got {', '.join(sorted(given)) or 'none'}.")
    return flow.condition.whole({name: _told(name, value, spaces[name], count) for name, value in given.items()})


def _told(name, text, space, count):
    """One row of numbers for all examples, or the rows of a file."""
    import numpy as np

    from flowzoo.cli import reading

    try:
        numbers = np.array([float(part) for part in text.split(",")])
    except ValueError:
        numbers = None
    if numbers is None:
        rows, _ = reading.read([text], reading.condition(name, space))
        if len(rows) != count:
            raise ValueError(f"{text}: expected a row of {name} for each of {count} examples, got {len(rows)}.")
        return rows
    shape = space.shape
    if None in shape or len(numbers) != int(np.prod(shape, dtype=int)) or len(shape) > 1:
        raise ValueError(f"--condition: {name} must be {space.described()}, got {len(numbers)} numbers. Pass a file.")
    if space.values and not (numbers == numbers.round()).all():
        raise ValueError(f"--condition: {name} must be {space.described()}, got {text}.")
    return np.tile(numbers.reshape(1, *shape), (count, *[1] * len(shape))).astype(space.dtype)


def positive(text: str) -> int:
    """The type of an argument that counts something."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return value
