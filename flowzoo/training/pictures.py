"""Images side by side."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image


def grid(images: np.ndarray, columns: int | None = None, bits: int = 8, scale: int = 1) -> Image.Image:
    """Puts images side by side, row by row.

    Args:
        images: (n, height, width, 1 or 3) integers 0 ... 2^bits - 1.
        columns: images per row; a square grid if not given.
        bits: depth of the images.
        scale: each pixel becomes scale x scale.

    Returns:
        A picture; places left over are black.
    """
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    canvas = np.zeros((rows * columns, height, width, channels), np.uint8)
    canvas[:count] = np.round(images.astype(np.float32) * (255.0 / (2**bits - 1)))
    canvas = canvas.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    canvas = canvas.reshape(rows * height, columns * width, channels).repeat(scale, axis=0).repeat(scale, axis=1)
    return Image.fromarray(canvas.squeeze(-1) if channels == 1 else canvas)
