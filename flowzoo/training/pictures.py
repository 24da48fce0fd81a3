"""Images side by side."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from flowzoo import files
from flowzoo.flows import Flow

SAMPLES = 64
LINES = 8


def drawn(flow: Flow, seed: int) -> dict[str, Image.Image]:
    """What a flow of images draws: `samples`, 64 at temperature 1, and `interpolations`: each row goes in a straight
    line of the latent from one sample to another of its class. No picture shows training data."""
    samples = flow.sample(SAMPLES, _classes(flow, SAMPLES), seed=seed).numpy()
    condition = _classes(flow, LINES)
    ends = [flow.sample(LINES, condition, seed=seed + 1 + end).numpy() for end in range(2)]
    between = flow.interpolate(*ends, steps=8, condition=condition).numpy()
    pictures = {"samples": samples, "interpolations": between.reshape(-1, *between.shape[2:])}
    return {name: grid(images, columns=8, bits=flow.bits or 8) for name, images in pictures.items()}


def write_drawn(flow: Flow, seed: int, folder: Path, name: str) -> dict[str, Image.Image]:
    """Draws pictures and writes each to `folder/<what>/<name>`, all or nothing; returns them by what they are."""
    pictures = drawn(flow, seed)
    for what, picture in pictures.items():
        with files.atomic(folder / what / name) as file:
            picture.save(file, "PNG")
    return pictures


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


def _classes(flow: Flow, count: int) -> np.ndarray | None:
    return np.arange(count, dtype=np.int32) % flow.classes if flow.classes else None
