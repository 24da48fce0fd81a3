"""The figures of a preset's page, from its record and history: the training curve and those of measurements."""

from __future__ import annotations

import hashlib
import io
import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from flowzoo.cards import curves
from flowzoo.cards.page import FIGURES
from flowzoo.core.files import sha256, write_atomic, write_figure
from flowzoo.measure.registry import MEASUREMENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowzoo.measure.measurement import Figure
    from flowzoo.record.preset import Preset

COLOURS = 32  # enough for lines and letters; makes a figure 30 KB
SOURCE = "source"  # the text chunk of the PNG with the digest of what it shows


def sources(preset: Preset, checkpoints: Path) -> dict[str, tuple[str, Callable[[Path], None]]]:
    """The figures of a preset's page, as paths below docs/models: the digest of what is drawn, and what draws it.

    Args:
        preset: the preset.
        checkpoints: the folder with a folder for each preset.
    """
    found = {}
    if preset.trained:
        history = checkpoints / preset.name / "history.csv"
        name = f"{FIGURES}/{preset.name}-training.png"
        found[name] = sha256(history), lambda path: _training(preset, history, path)
    for measurement in MEASUREMENTS:
        if figure := measurement.figure(preset):
            digest = hashlib.sha256(json.dumps(measurement.entry(preset), sort_keys=True).encode()).hexdigest()
            found[f"{FIGURES}/{preset.name}-{figure.suffix}.png"] = digest, partial(_write, figure)
    return found


def digest(figure: Path) -> str:
    """The digest in a figure that `write` wrote; "" if there is none."""
    if not figure.is_file():
        return ""
    with Image.open(figure) as image:
        return image.info.get(SOURCE, "")


def write(figure: Path, source: str, draw: Callable[[Path], None]) -> None:
    """Draws a figure in few colours, unless the existing one shows the same."""
    if digest(figure) == source:
        return
    with TemporaryDirectory() as folder:
        draw(Path(folder, "figure.png"))
        with Image.open(Path(folder, "figure.png")) as image:
            few = image.convert("RGB").quantize(COLOURS)
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text(SOURCE, source)
    few.save(buffer, "PNG", optimize=True, pnginfo=info)
    write_atomic(figure, buffer.getvalue())


def _training(preset: Preset, history: Path, path: Path) -> None:
    curves.write_curves({preset.name: curves.read_history(history)}, path)


def _write(measured: Figure, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    measured.draw(axes)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    write_figure(path, figure, dpi=110)
