"""The columns of tables: what a header is, what a number is, and which columns are taken in which order."""

from __future__ import annotations

from collections.abc import Sequence

from flowzoo.core.errors import nearest

# markers of missing values, including all that pandas knows, and of spreadsheet errors: not names of columns
MISSING = {
    *("", "-", "--", ".", "?", "na", "n/a", "nan", "-nan", "nat", "nil", "null", "none", "<na>", "#n/a", "#na"),
    *("#n/a n/a", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    *("#div/0!", "#name?", "#null!", "#num!", "#ref!", "#value!"),
}
HINT = "Write numbers as 1234.5, with commas only between cells."


def number(cell: str) -> float | None:
    """The number in a cell, or None; digits are ASCII, without thousands separators."""
    if "_" in cell or not cell.isascii():  # Python's own way to write numbers
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def header(cells: Sequence[str]) -> list[str] | None:
    """The names in the first line of a table, or None if it is a row of numbers.

    A header is a line in which no cell is a number, and at least one cell is neither a marker of a missing value nor
    number-like, as "1,000", "1.5x" and "(1)" are.

    Raises:
        ValueError: some of the cells are numbers and some are not, or all are numbers that can't be read.
    """
    names = [cell.strip() for cell in cells]
    odd = [i for i, name in enumerate(names) if name and number(name) is None]
    if not odd:
        return None
    if len(odd) == sum(map(bool, names)) and not all(map(_like_a_number, names)):
        return names
    i = odd[0]
    raise ValueError(f"cell {i + 1}: expected a number, or names and no numbers in the line, got {cells[i]!r}. {HINT}")


def doubt(cells: Sequence[str], table: str) -> str:
    """A note on a first row 0, 1, ..., n - 1, with which pandas heads unnamed columns; "" for any other row.

    Args:
        cells: of the first line, which is not a header.
        table: what it is called in notes.
    """
    if len(cells) < 2 or [cell.strip() for cell in cells] != list(map(str, range(len(cells)))):
        return ""
    return (
        f"{table}: the first line, {listed(cells)}, is taken for a row of numbers. If pandas wrote it to number the "
        "columns, remove it, as by to_csv(header=False, index=False), or give the columns names"
    )


def require_each_once(names: Sequence[str], what: str) -> None:
    """Refuses duplicate names: one of the columns would be lost, or mistaken for the other."""
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ValueError(f"{what} must have distinct names, got {', '.join(map(repr, twice))} more than once.")


class Columns:
    """Which columns of some tables are taken, in which order.

    Args:
        chosen: their names, in this order; None for what the flow knows, or else all.
        known: the names of the columns that a flow was fitted on; () if it knows none.
        usual: the names that flowzoo itself gives them, as x0, x1, ...
        option: by which they are chosen, for messages.

    Attributes:
        assumed: the note on columns that were taken by position, as no names were known; "" if none.
        doubted: the note on a first line that may be a header; "" if none.
        option: as given.
    """

    def __init__(
        self,
        chosen: Sequence[str] | None,
        known: Sequence[str] = (),
        usual: Sequence[str] = (),
        option: str = "--columns",
    ):
        self._chosen, self._known, self._usual = chosen, list(known), list(usual)
        self._from, self.assumed, self.doubted, self.option = "the flow", "", "", option
        if chosen:
            require_each_once(chosen, option)

    def places(self, names: Sequence[str] | None, table: str, first: Sequence[str] = ()) -> list[int] | None:
        """The indices of the columns to take, or None for all as they stand.

        Args:
            names: of the columns of a table; None if it has no header.
            table: what it is called in notes and errors.
            first: the cells of its first row, if it has no header.

        Raises:
            ValueError: a column is missing, or its name appears twice.
        """
        if names is None:
            if self._chosen:
                raise ValueError(f"the first line must name the columns for {self.option}, got numbers.")
            self.doubted = self.doubted or doubt(first, table)
            if self._known:
                self._assume(f"{table} names no columns: they are taken for {listed(self._known)}, in this order")
            return None
        wanted = self._wanted(names, table)
        taken = set(wanted)
        require_each_once([name for name in names if name in taken], "columns")
        place = {name: i for i, name in enumerate(names)}
        return [place[name] for name in wanted]

    def _wanted(self, names, table):
        if self._chosen:
            for name in self._chosen:
                if name not in names:
                    raise ValueError(f"no column {name!r}. {nearest(name, names)}")
            return self._known if set(self._chosen) == set(self._known) else self._chosen
        if self._known:
            if not set(self._known) <= set(names):
                raise ValueError(
                    f"expected the columns of {self._from}, {listed(self._known)}, got {listed(names)}. "
                    f"Rename them, or choose by {self.option}=NAME,NAME,..."
                )
            return self._known
        if self._usual and set(self._usual) <= set(names):
            return self._usual
        if len(names) > 1:  # a single one has no order
            self._assume(f"{table}: the flow knows no names, so columns are taken as they stand: {listed(names)}")
        self._known, self._from = list(names), table  # so that tables in another order are not mixed in
        return self._known

    def _assume(self, text):
        self.assumed = self.assumed or text


def listed(names: Sequence[str]) -> str:
    """Names in a line; only the first few and the last if there are many."""
    return ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:3])}, ... {names[-1]}"


def _like_a_number(name):
    bare = any(map(str.isdigit, name)) and not any(map(str.isalpha, name))  # as "€1", "(1)", or with a printed minus
    return name.lower() in MISSING or bare or name.lstrip("+-.#$ ")[:1].isdigit()
