"""What differs between kinds of data: the files that hold them, and what is seen of samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flowzoo.core.space import Space


class Modality:
    """A kind of data. A subclass says what it has; as it stands, vectors, which no file and no image shows.

    Attributes:
        what: what examples are called in messages.
        reads: suffixes of the files that hold examples, which are looked for in folders.
        sources: what they are read from beside arrays and tables, if the suffix decides; "" if the content does.
        written: suffix of a file that holds several examples; "" for none.
        shown: how many samples an image of them has; 0 if they make no image.
        card: what samples.png of a card shows; "" for what the number of dimensions suggests.
        blends: whether interpolations between samples are drawn, too.
    """

    what = "examples"
    reads: tuple[str, ...] = ()
    sources = written = card = ""
    shown = 0
    blends = False

    def held(self, space: Space) -> bool:
        """Whether files can hold examples of this space."""
        return False

    def read(self, path: Path, space: Space) -> tuple[np.ndarray, str]:
        """The examples in a file, (n, *space.shape), and what is to be said of it, "" for nothing.

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

    def synthetic(self, count: int, space: Space) -> np.ndarray:
        """Examples that are nobody's data, (count, *space.shape), the same at every call."""
        noise = np.random.default_rng(0)
        if not space.values:
            return noise.standard_normal((count, *space.shape), space.dtype)
        return noise.integers(space.lowest, space.highest + 1, (count, *space.shape)).astype(space.dtype)
