"""What differs between kinds of data: the files that hold them, and how samples are shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowzoo.core.space import Space

if TYPE_CHECKING:
    from PIL import Image


class Modality:
    """A kind of data. A subclass overrides what it has; the class itself stands for vectors, without files or images.

    Attributes:
        what: what examples are called in messages.
        reads: suffixes of the files that hold examples, which are looked for in folders.
        sources: what they are read from besides arrays and tables, if the suffix decides; "" if the content does.
        written: suffix of a file that holds several examples; "" for none.
        shown: how many samples an image of them has; 0 if they make no image.
        card: what samples.png of a card shows; "" for what the number of dimensions suggests.
        blends: whether `grid` draws samples and interpolations between them.
        typical: mean and standard deviation that networks may assume for its numbers without looking at data.
        signal: whether an example is a signal in time, whose likelihood papers state per sample.
    """

    what = "examples"
    reads: tuple[str, ...] = ()
    sources = written = card = ""
    shown = 0
    blends = signal = False
    typical = (0.0, 1.0)

    def tabular(self, space: Space) -> bool:
        """Whether each number of an example is a feature of its own, as a column of a table."""
        return len(space.shape) == 1 and not space.values

    def held(self, space: Space) -> bool:
        """Whether files can hold examples of this space."""
        return False

    def in_bytes(self, space: Space) -> bool:
        """Whether servers take an example as the bytes of an image file, too."""
        return False

    def read(self, path: Path, space: Space) -> tuple[np.ndarray, str]:
        """The examples in a file, (n, *space.shape), and a note about it, "" for none.

        Raises:
            ValueError: it holds something else; the message has its path.
            OSError: it can't be read.
        """
        raise NotImplementedError

    def write(self, path: str | Path, examples: np.ndarray, space: Space, columns: int | None = None) -> None:
        """Writes examples, (n, *space.shape), into one file, all or nothing; `columns` are those of a grid."""
        raise NotImplementedError

    def draw(self, path: str | Path, examples: np.ndarray, space: Space, columns: int | None = None) -> None:
        """Draws examples into one PNG, as `write`."""
        raise NotImplementedError

    def grid(self, examples: np.ndarray, space: Space, columns: int | None = None) -> Image.Image:
        """Examples side by side, of a kind that `blends`; `columns` as of `write`."""
        raise NotImplementedError

    def synthetic(self, count: int, space: Space) -> np.ndarray:
        """Synthetic examples, (count, *space.shape), the same at every call."""
        noise = np.random.default_rng(0)
        if not space.values:
            return noise.standard_normal((count, *space.shape), space.dtype)
        return noise.integers(space.lowest, space.highest + 1, (count, *space.shape)).astype(space.dtype)
