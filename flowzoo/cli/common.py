"""Arguments that several subcommands share."""

from __future__ import annotations

import argparse
import sys


class Failed(Exception):
    """A valid request that failed: one line and exit code 1."""


def one_line(error: Exception) -> str:
    """The message of an error in one line, without control characters, as parts of it come from hubs and files."""
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def note(text: str) -> None:
    """Says on stderr what was assumed, so that stdout has results only."""
    print(f"flowzoo: note: {text}", file=sys.stderr, flush=True)


def add_preset(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """The first argument of most subcommands."""
    what = "a preset of `flowzoo list`, or its NAME@REVISION, or a .json"
    parser.add_argument("preset", metavar="NAME", nargs=nargs, help=what)


def add_files(parser: argparse.ArgumentParser, what: str, nargs: str = "+") -> None:
    """Files of examples or latents, as `reading.read` takes them."""
    parser.add_argument("files", nargs=nargs, metavar="FILE", help=what)
    add_columns(parser)


def files_read(args: argparse.Namespace) -> list[str]:
    """The files and folders that a subcommand reads, as `files`, `start`, `end` or `condition`, there or not."""
    texts = getattr(args, "condition", [])
    conditions = [part for text in texts for part in (text, text.partition("=")[2])]  # with NAME= or without
    return [*getattr(args, "files", []), *(getattr(args, end) for end in ("start", "end") if end in args), *conditions]


def add_columns(parser: argparse.ArgumentParser) -> None:
    """--columns, of tables."""
    split = "of .csv and .parquet files, in this order (all)"
    parser.add_argument("--columns", type=lambda text: text.split(","), metavar="NAME,...", help=split)


def add_label(parser: argparse.ArgumentParser) -> None:
    """The class, for presets that take one."""
    parser.add_argument("--label", type=int, metavar="CLASS", help="the class, for a class-conditional preset")


def add_noise_seed(parser: argparse.ArgumentParser) -> None:
    """The seed of what makes integers continuous."""
    parser.add_argument("--seed", type=int, default=0, help="seed of the dequantization noise (0)")


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Where data sets are."""
    parser.add_argument("--data-dir", metavar="DIR", help="TFDS' folder; TFDS' default if not given")


def positive(text: str) -> int:
    """The type of an argument that counts something."""
    return natural(text, 1)


def natural(text: str, least: int = 0) -> int:
    """As `positive`, or 0."""
    value = int(text)
    if value < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text}")
    return value
