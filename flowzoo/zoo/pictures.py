"""Pictures of samples as PNG."""

import io
from pathlib import Path

import numpy as np

from flowzoo.files import write_atomic
from flowzoo.training.pictures import grid


def write_png(path: str | Path, images: np.ndarray, columns: int | None = None, bits: int = 8, scale: int = 2) -> None:
    """Write images side by side as one PNG, all or nothing.

    Args:
        path: the file.
        images: (n, height, width, 1 or 3) integers 0 ... 2^bits - 1.
        columns: images in a row; a square grid if not given.
        bits: depth of the images.
        scale: each pixel becomes scale x scale pixels.

    Raises:
        ValueError: `images` has another shape.
    """
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise ValueError(
            f"a picture needs images of shape (n, height, width, 1 or 3), got {images.shape}. "
            "Write an array (.npy) instead."
        )
    buffer = io.BytesIO()
    grid(images, columns, bits, scale).save(buffer, "PNG", optimize=True)
    write_atomic(path, buffer.getvalue())
