"""Images: read from files, side by side in one grid, and as PNG."""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from flowzoo.core.files import write_atomic
from flowzoo.core.space import Space
from flowzoo.modalities import image_files
from flowzoo.modalities.modality import Modality

COARSE = 16  # pixels from one random number of a synthetic image to the next


def drawable(space: Space) -> bool:
    """Whether examples are gray or coloured images."""
    return space.modality == "image" and space.shape[-1] in (1, 3)


class Images(Modality):
    """Integers (height, width, channels); 1 or 3 channels can be files."""

    what, reads, written = "images", image_files.SUFFIXES, ".png"
    shown, blends = 64, True
    card = "samples: 8 rows at T = 1, then one at each of 0.9 ... 0.6"

    def held(self, space: Space) -> bool:
        return drawable(space)

    def in_bytes(self, space: Space) -> bool:
        return drawable(space) and 0 < space.values <= 256  # what PNG and JPEG hold

    def read(self, path: Path, space: Space) -> tuple[np.ndarray, str]:
        return image_files.read_image(path, space.shape, space.depth), ""

    def write(self, path: str | Path, examples: np.ndarray, space: Space, columns: int | None = None) -> None:
        write_png(path, examples, columns, space.values or 256)

    draw = write

    def grid(self, examples: np.ndarray, space: Space, columns: int | None = None) -> Image.Image:
        return grid(examples, columns, space.values or 256)

    def synthetic(self, count: int, space: Space) -> np.ndarray:
        """Smooth noise: drawn at a sixteenth of the size and enlarged."""
        if not space.values:
            return super().synthetic(count, space)
        import tensorflow as tf  # imported here: files are read and written without it

        height, width, channels = space.shape
        coarse = np.random.default_rng(0).uniform(0, 255, (count, -(-height // COARSE), -(-width // COARSE), channels))
        smooth = tf.image.resize(coarse, (height, width), "bilinear").numpy()
        return (smooth.astype(np.uint8).astype(np.int64) * space.values // 256).astype(space.dtype)


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
