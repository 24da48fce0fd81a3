"""What a flow of images draws, in training and for its card; others draw nothing here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from flowzoo.core import files
from flowzoo.modalities.registry import modality_of
from flowzoo.models.flow import Flow

ROWS = 8  # of an image of samples
STEPS = 8  # of an interpolation


def columns(flow: Flow) -> int:
    """Images in a row: one of each class, if there are not more than ten."""
    return flow.condition.labels if 1 < flow.condition.labels <= 10 else 8


def labels(flow: Flow, count: int) -> np.ndarray | None:
    """The labels of `count` images in rows of `columns(flow)`, (count,) int32; None without classes."""
    return np.arange(count, dtype=np.int32) % columns(flow) if flow.condition.labels else None


def interpolated(flow: Flow, seed: int, temperature: float = 1.0) -> np.ndarray:
    """Straight lines in the latent from one sample to another of its class: (8 lines * 8 steps, *event_shape)."""
    ends = [
        flow.sample(ROWS, labels(flow, ROWS), temperature=temperature, seed=seed + 1 + end).numpy() for end in (0, 1)
    ]
    between = flow.interpolate(*ends, steps=STEPS, condition=labels(flow, ROWS)).numpy()
    return between.reshape(-1, *flow.event_shape)


def drawn(flow: Flow, seed: int) -> dict[str, Image.Image]:
    """What a flow of images draws at temperature 1: `samples` and `interpolations`. No image shows training data."""
    kind = modality_of(flow.x_space)
    if not kind.blends:
        return {}
    count = ROWS * columns(flow)
    samples = flow.sample(count, labels(flow, count), seed=seed).numpy()
    drawings = {"samples": (samples, columns(flow)), "interpolations": (interpolated(flow, seed), STEPS)}
    return {name: kind.grid(images, flow.x_space, width) for name, (images, width) in drawings.items()}


def write_drawn(flow: Flow, seed: int, folder: Path, name: str) -> dict[str, Image.Image]:
    """Draws images and writes each to `folder/<what>/<name>`, all or nothing; returns them by what they are."""
    images = drawn(flow, seed)
    for what, image in images.items():
        with files.atomic(folder / what / name) as file:
            image.save(file, "PNG")
    return images
