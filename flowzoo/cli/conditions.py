"""The condition of a preset on the command line: a class, numbers, or files with a row for each example."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flowzoo.cli.common import add_label

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow

COUNT = 64  # of samples, if nothing says how many
COLUMNS = "--condition-columns"


def add_condition(parser: argparse.ArgumentParser) -> None:
    """The condition of a preset; `condition_of` reads it."""
    add_label(parser)
    what = "of a conditional preset: numbers for all, as 0.5,1.5, or a file with one row for each; of several by name"
    parser.add_argument("--condition", action="append", default=[], metavar="[NAME=]VALUE", help=what)
    what = "columns of a .csv or .parquet file of --condition, in this order (all); of several conditions by name"
    parser.add_argument(COLUMNS, action="append", default=[], metavar="[NAME=]NAME,...", help=what)


def condition_of(flow: Flow, args: argparse.Namespace, count: int) -> Any:
    """The condition of `count` examples, by --label and --condition; None for a flow that takes none.

    Raises:
        ValueError: none was given where one is needed, a name that the flow does not know, or values that don't fit.
    """
    rows, files = _given(flow, args)
    for name, file in files.items():
        _require_rows(name, file, rows[name], count)
    return _repeated(flow, rows, count)


def condition_and_count(flow: Flow, args: argparse.Namespace, count: int | None) -> tuple[Any, int]:
    """The condition of samples by --label and --condition, and how many; None for a flow that takes none.

    Args:
        flow: it is for.
        args: of the command.
        count: of samples; if not given as many as a file has rows, or `COUNT`. One row of a file is for all of them,
            as in `Flow.sample`.

    Raises:
        ValueError: as `condition_of`.
    """
    rows, files = _given(flow, args)
    count = count or max((len(rows[name]) for name in files), default=COUNT)
    for name, file in files.items():
        if len(rows[name]) > 1:
            _require_rows(name, file, rows[name], count)
    return _repeated(flow, rows, count), count


def _repeated(flow, rows, count):
    import numpy as np

    parts = {name: np.repeat(part, count, axis=0) if len(part) == 1 else part for name, part in rows.items()}
    return flow.condition.whole(parts)


def _require_rows(name, file, part, count):
    if len(part) != count:
        raise ValueError(f"{file}: expected a row of {name} for each of {count} examples, got {len(part)}.")


def _given(flow, args):
    """The rows of each condition, of which numbers on the command line are one; and the files of the others."""
    from flowzoo.core.space import ONE

    spaces = flow.condition.spaces
    given = _by_name(args.condition, spaces, "--condition")
    columns = _by_name(args.condition_columns, spaces, COLUMNS)
    label = ONE if flow.condition.labels else "label"
    if args.label is not None:
        if label in given:
            raise ValueError(f"--label must be left out beside --condition={given[label]}, got {args.label}.")
        given |= {label: str(args.label)}
    if flow.condition.labels and not given:
        raise ValueError(
            f"--label must be a class 0 ... {flow.condition.labels - 1} for this preset, got none. Pass one."
        )
    if set(given) != set(spaces):
        wanted = ", ".join(f"{name} ({space.described()})" for name, space in spaces.items()) or "none"
        way = " and ".join(f"--condition={'' if name == ONE else f'{name}='}VALUE" for name in spaces)
        fix = f"Pass {way}, where a VALUE is numbers or a file." if spaces else "Leave it out."
        got = ", ".join(sorted(given)) or "none"
        raise ValueError(f"--condition must give {wanted} for this preset, got {got}. {fix}")
    if not set(columns) <= set(spaces):
        raise ValueError(f"{COLUMNS} must be of {', '.join(spaces) or 'none'}, got it of {', '.join(columns)}.")
    found = {name: _rows(name, value, flow, columns.get(name)) for name, value in given.items()}
    return {name: part for name, (part, _) in found.items()}, {name: given[name] for name in found if found[name][1]}


def _by_name(texts, spaces, option):
    """The values of an option by the names of the conditions, which only several have."""
    from flowzoo.core.space import ONE

    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name, value = (name, value) if equals and name in spaces else (ONE, text)
        if name in found:
            raise ValueError(f"{option} must be given once for each condition, got it twice for {name}.")
        found[name] = value
    return found


def _rows(name, text, flow, columns):
    """One row of numbers, for all examples, or the rows of a file; and whether it is a file."""
    import numpy as np

    from flowzoo.cli import reading

    try:
        numbers = np.array([float(part) for part in text.split(",")])
    except ValueError:
        numbers = None
    if numbers is None:
        return reading.read([text], reading.condition(name, flow), columns and columns.split(","))[0], True
    space = flow.condition.spaces[name]
    shape = space.shape
    if None in shape or len(numbers) != int(np.prod(shape, dtype=int)) or len(shape) > 1:
        raise ValueError(f"--condition: {name} must be {space.described()}, got {len(numbers)} numbers. Pass a file.")
    if space.values and not (numbers == numbers.round()).all():
        raise ValueError(f"--condition: {name} must be {space.described()}, got {text}.")
    return numbers.reshape(1, *shape).astype(space.dtype), False
