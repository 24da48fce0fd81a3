"""What of a flow gets into files and copies, and what comes back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras

from flowzoo.core import files
from flowzoo.models.generative import GenerativeModel
from flowzoo.models.traced_option import TracedOption
from flowzoo.models.weights import save_weights


class StoredModel(GenerativeModel):
    """A `GenerativeModel` whose weight files hold weights only, and whose copies compute as it does.

    By pickle and `copy.deepcopy` the switches go along, which are no part of a configuration.
    """

    def save(self, filepath: str | os.PathLike, overwrite: bool = True, zipped: bool | None = None) -> None:
        """As Keras' own, to `.keras`, all or nothing.

        Raises:
          ValueError: the name ends in `.h5`: Keras would write a file that it can't read again.
          OSError: the file can't be written; one that was there is as before.
        """
        if Path(filepath).suffix in (".h5", ".hdf5"):
            raise ValueError(
                f"`filepath` must end in .keras, got {os.fspath(filepath)!r}, a format from which Keras can't build a "
                "flow again. Save to .keras, or the weights alone by `save_weights('name.weights.h5')`."
            )
        if Path(filepath).suffix != ".keras" or "://" in str(filepath) or not overwrite:
            super().save(filepath, overwrite=overwrite, zipped=zipped)
            return
        with files.replacing(filepath) as beside:
            super().save(beside, zipped=zipped)

    def save_weights(self, filepath: str | os.PathLike, overwrite: bool = True, max_shard_size: float | None = None):
        """Writes the weights only, without optimizer slots, all or nothing.

        Args:
          filepath: ends in `.weights.h5`.
          overwrite: whether a file that is there is replaced.
          max_shard_size: as Keras takes it, which then writes optimizer slots too; None for one file.

        Raises:
          ValueError: the name does not end in `.weights.h5`.
          FileExistsError: the file is there, and `overwrite` is False.
        """
        if max_shard_size is not None:
            super().save_weights(filepath, overwrite=overwrite, max_shard_size=max_shard_size)
            return
        if not overwrite and os.path.exists(filepath):
            raise FileExistsError(f"{filepath} is there already. Pass overwrite=True to replace it.")
        save_weights(self, filepath)

    def __reduce__(self) -> tuple[Any, ...]:
        named = {name: value for kind in type(self).__mro__ for name, value in vars(kind).items()}
        switches = [name for name, value in named.items() if isinstance(value, TracedOption) and name in vars(self)]
        return (*super().__reduce__(), {name: vars(self)[name] for name in switches})


def frozen_layers(model: keras.Model) -> list[int]:
    """The numbers of the layers that are not trainable, the model itself being the first."""
    return [i for i, layer in enumerate(model._flatten_layers()) if not layer.trainable]


def freeze_layers(model: keras.Model, frozen: list[int]) -> None:
    """Makes these layers of a model frozen and all others trainable; a layer comes before those within it."""
    for i, layer in enumerate(model._flatten_layers()):
        if layer.trainable != (i not in frozen):
            layer.trainable = i not in frozen
