"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a `|` in a cell is written so that it stays one.

    >>> print(table(("a", "b"), [("1", "|x|")]), end="")
    | a | b |
    | --- | --- |
    | 1 | \\|x\\| |
    """
    lines = [header, ("---",) * len(header), *(tuple(cell.replace("|", r"\|") for cell in row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
