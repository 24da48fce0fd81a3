"""The condition of a preset on the command line: a class, numbers, or files with a row for each example."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flowzoo.cli.common import add_label

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow

COUNT = 64  # of samples, if nothing says how many


def add_condition(parser: argparse.ArgumentParser) -> None:
    """The condition of a preset; `condition_of` reads it."""
    add_label(parser)
    what = "of a conditional preset: numbers for all, as 0.5,1.5, or a file with one row for each; of several by name"
    parser.add_argument("--condition", action="append", default=[], metavar="[NAME=]VALUE", help=what)


def condition_of(flow: Flow, args: argparse.Namespace, count: int) -> Any:
    """The condition of `count` examples, by --label and --condition; None for a flow that takes none.

    Raises: as `condition_and_count`.
    """
    return condition_and_count(flow, args, count)[0]


def condition_and_count(flow: Flow, args: argparse.Namespace, count: int | None) -> tuple[Any, int]:
    """The condition by --label and --condition, and for how many examples; None for a flow that takes none.

    Args:
        flow: it is for.
        args: of the command.
        count: of examples; if not given as many as a file has rows, or `COUNT`.

    Raises:
        ValueError: none was given where one is needed, a name that the flow does not know, or values that don't fit.
    """
    import numpy as np

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
    rows = {name: _rows(name, value, flow) for name, value in given.items()}
    count = count or next((len(part) for part, single in rows.values() if not single), COUNT)
    for name, (part, single) in rows.items():
        if not single and len(part) != count:
            raise ValueError(f"{given[name]}: expected a row of {name} for each of {count} examples, got {len(part)}.")
    parts = {name: np.repeat(part, count, axis=0) if single else part for name, (part, single) in rows.items()}
    return flow.condition.whole(parts), count


def _rows(name, text, flow):
    """One row of numbers, for all examples, or the rows of a file; and which of the two."""
    import numpy as np

    from flowzoo.cli import reading

    try:
        numbers = np.array([float(part) for part in text.split(",")])
    except ValueError:
        numbers = None
    if numbers is None:
        return reading.read([text], reading.condition(name, flow))[0], False
    space = flow.condition.spaces[name]
    shape = space.shape
    if None in shape or len(numbers) != int(np.prod(shape, dtype=int)) or len(shape) > 1:
        raise ValueError(f"--condition: {name} must be {space.described()}, got {len(numbers)} numbers. Pass a file.")
    if space.values and not (numbers == numbers.round()).all():
        raise ValueError(f"--condition: {name} must be {space.described()}, got {text}.")
    return numbers.reshape(1, *shape).astype(space.dtype), True
