"""The layers inside a layer, by their paths, which of them are frozen, and wrappers around their methods."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

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


def frozen_layers(model: keras.Model) -> list[int]:
    """The numbers of the layers that are not trainable, the model itself being the first."""
    return [i for i, layer in enumerate(model._flatten_layers()) if not layer.trainable]


def freeze_layers(model: keras.Model, frozen: list[int]) -> None:
    """Freezes these layers of a model and makes all others trainable; a layer comes before those within it."""
    for i, layer in enumerate(model._flatten_layers()):
        if layer.trainable != (i not in frozen):
            layer.trainable = i not in frozen


def frozen_weights(model: keras.Model) -> list[int]:
    """The numbers of the weights that are frozen one by one, in layers that are trainable."""
    numbers = {id(weight): i for i, weight in enumerate(model.weights)}
    free = (weight for layer in model._flatten_layers() if layer.trainable for weight in layer._trainable_variables)
    return sorted(numbers[id(weight)] for weight in free if not weight.trainable)


def freeze_weights(model: keras.Model, frozen: list[int]) -> None:
    """Freezes these weights of a model."""
    for i in frozen:
        model.weights[i].trainable = False


@contextlib.contextmanager
def wrapped(methods: Iterable[tuple[keras.layers.Layer, str, Callable[[Callable], Callable]]]) -> Iterator[None]:
    """Wraps methods of layers for a while: (layer, name of the method, method -> what is called instead)."""
    changed = []
    try:
        for layer, name, wrap in methods:
            setattr(layer, name, wrap(getattr(layer, name)))
            changed.append((layer, name))
        yield
    finally:
        for layer, name in changed:
            delattr(layer, name)
