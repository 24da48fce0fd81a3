"""A preset as TensorFlow Serving wants it: `<folder>/<name>/<version>/`, with its card and warm-up requests."""

from __future__ import annotations

import os
from pathlib import Path

from flowzoo.hub.presets import read_preset
from flowzoo.record.preset import Preset
from flowzoo.serving.saved_model import export
from flowzoo.serving.warmup import can_warm_up
from flowzoo.zoo.load import load


def export_preset(
    name: str | Path,
    folder: str | os.PathLike,
    *,
    version: int | None = None,
    overwrite: bool = False,
    weights_dtype: str = "float32",
    check: bool = True,
) -> Path:
    """Writes the SavedModel of a preset to `<folder>/<name>/<version>/`.

    Args:
      name: what `flowzoo.load` takes.
      folder: of models; TensorFlow Serving is pointed at it, or at a folder in it.
      version: 1 or more; the preset's revision if not given. TensorFlow Serving serves the highest.
      overwrite, weights_dtype, check: as in `export`.

    Returns:
      The folder of the version. It holds warm-up requests if the extra `serving` is installed.

    Raises:
      FileExistsError: the version exists, and `overwrite` is False.
      ValueError: as in `flowzoo.load` and `export`.
    """
    preset = read_preset(name)
    path = version_folder(preset, folder, version)
    if path.is_dir() and any(path.iterdir()) and not overwrite:  # before anything is loaded
        raise FileExistsError(f"`version` must be new, got {path}, which exists. Pass another one or overwrite=True.")
    options = {"overwrite": overwrite, "weights_dtype": weights_dtype, "check": check}
    served = preset.name if can_warm_up() else None
    return export(load(name), path, name=served, card=preset.to_json(), **options)


def version_folder(preset: Preset, folder: str | os.PathLike, version: int | None = None) -> Path:
    """Where a version of a preset goes."""
    return Path(folder) / preset.name / str(version or preset.revision)
