"""The layers inside a layer, by their paths."""

from __future__ import annotations

from collections.abc import Iterator

import keras


def layers(root: keras.layers.Layer, prefix: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    """The layers inside `root` with their paths, such as `transforms/2/levels/0`; each before those inside it."""
    for name, value in vars(root).items():
        if name.startswith("_"):
            continue
        parts = enumerate(value) if isinstance(value, (list, tuple)) else [(None, value)]
        for index, part in parts:
            if isinstance(part, keras.layers.Layer):
                path = prefix + (name if index is None else f"{name}/{index}")
                yield path, part
                yield from layers(part, f"{path}/")
