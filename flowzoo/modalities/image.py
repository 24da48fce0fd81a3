"""Images: side by side in one grid, and as PNG."""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from flowzoo.core.files import write_atomic
from flowzoo.core.space import Space


def drawable(space: Space) -> bool:
    """Whether examples are gray or coloured images."""
    return space.modality == "image" and space.shape[-1] in (1, 3)


def in_files(space: Space) -> bool:
    """Whether examples can be PNG and JPEG files: such images of at most 8 bits."""
    return drawable(space) and 0 < space.values <= 256


def write_png(
    path: str | Path, images: np.ndarray, columns: int | None = None, values: int = 256, scale: int = 2
) -> None:
    """Write images side by side as one PNG, all or nothing.

    Args:
        path: the file.
        images: (n, height, width, 1 or 3) integers 0 ... values - 1.
        columns: images in a row; a square grid if not given.
        values: how many values a pixel can have.
        scale: each pixel becomes scale x scale pixels.

    Raises:
        ValueError: `images` has another shape.
    """
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise ValueError(
            f"a grid needs images of shape (n, height, width, 1 or 3), got {images.shape}. "
            "Write an array (.npy) instead."
        )
    buffer = io.BytesIO()
    grid(images, columns, values, scale).save(buffer, "PNG", optimize=True)
    write_atomic(path, buffer.getvalue())


def grid(images: np.ndarray, columns: int | None = None, values: int = 256, scale: int = 1) -> Image.Image:
    """Puts images side by side, row by row.

    Args:
        images: (n, height, width, 1 or 3) integers 0 ... values - 1.
        columns: images per row; a square grid if not given.
        values: how many values a pixel can have.
        scale: each pixel becomes scale x scale.

    Returns:
        One image; cells left over are black.
    """
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    canvas = np.zeros((rows * columns, height, width, channels), np.uint8)
    canvas[:count] = np.round(images.astype(np.float32) * (255.0 / (values - 1)))
    canvas = canvas.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    canvas = canvas.reshape(rows * height, columns * width, channels).repeat(scale, axis=0).repeat(scale, axis=1)
    return Image.fromarray(canvas.squeeze(-1) if channels == 1 else canvas)
