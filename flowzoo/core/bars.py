"""Progress bars for long work: on stderr, on terminals only, and gone when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


def bar(total: int, what: str | None = None, *, shown: bool = True, unit: str = "it", scale: bool = False) -> tqdm:
    """A bar, to be used in a `with` block, whose `update(count)` adds to what is done.

    Args:
        total: the count when all is done.
        what: its label.
        shown: False for no bar, whatever stderr is.
        unit, scale: what is counted; with `scale`, counts read "12.3M".
    """
    from tqdm import tqdm  # here, to keep `import flowzoo` cheap

    how = {"unit": unit, "unit_scale": scale, "leave": False}
    return tqdm(total=total, desc=what, disable=None if shown else True, **how)  # None: on terminals only
