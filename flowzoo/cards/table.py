"""Tables in Markdown."""

from collections.abc import Collection, Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()) -> str:
    """A table; a `|` in a cell is written so that it stays one, and the columns named in `right` end flush.

    >>> print(table(("a", "b"), [("1", "|x|")], right=["a"]), end="")
    | a | b |
    | ---: | --- |
    | 1 | \\|x\\| |
    """
    rule = tuple("---:" if name in right else "---" for name in header)
    lines = [header, rule, *(tuple(cell.replace("|", r"\|") for cell in row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
