"""What of a flow gets into files and copies, and what comes back."""

from __future__ import annotations

import os
from typing import Any

import keras

from flowzoo.core import files
from flowzoo.models.generative import GenerativeModel
from flowzoo.models.traced_option import TracedOption
from flowzoo.models.weights import load_weights, require_finite_numbers, require_finite_store, save_weights


class StoredModel(GenerativeModel):
    """A `GenerativeModel` whose weight files hold weights only, and whose copies compute as it does.

    By pickle and `copy.deepcopy` the switches go along, which are no part of a configuration.
    """

    _backups = ()  # folders of the `BackupAndRestore` callbacks of the running `fit`

    def save(self, filepath: str | os.PathLike, overwrite: bool = True, zipped: bool | None = None) -> None:
        """As Keras' own, to `.keras`, all or nothing.

        Raises:
          ValueError: the name does not end in `.keras`, or `zipped` is False.
          FileExistsError: the file is there, and `overwrite` is False.
          OSError: the file can't be written; one that was there is as before.
        """
        if zipped is False:  # HDF5 would write into the folder, and crash where the disk is full
            raise ValueError("`zipped` must be True or None, got False: flows are saved to one `.keras` file.")
        hub = str(filepath).startswith("hf://")
        if not hub and not str(filepath).endswith(".keras"):
            raise ValueError(
                f"`filepath` must end in .keras, got {os.fspath(filepath)!r}; from other formats Keras can't build a "
                "flow again. Save to .keras, or the weights alone by `save_weights('name.weights.h5')`."
            )
        if hub or "://" in str(filepath):
            super().save(filepath, overwrite=overwrite, zipped=zipped)
            return
        _require_new(filepath, overwrite)
        with files.replacing(filepath) as beside:
            super().save(beside, zipped=zipped)

    def save_weights(self, filepath: str | os.PathLike, overwrite: bool = True, max_shard_size: float | None = None):
        """Writes the weights only, without optimizer slots, all or nothing.

        Of `keras.callbacks.BackupAndRestore` it writes the optimizer too, with which a training resumes.

        Args:
          filepath: ends in `.weights.h5`.
          overwrite: whether a file that is there is replaced.
          max_shard_size: None: a flow's weights are in one file.

        Raises:
          ValueError: the name does not end in `.weights.h5`, or `max_shard_size` is given.
          FileExistsError: the file is there, and `overwrite` is False.
        """
        if max_shard_size is not None:
            raise ValueError(
                f"`max_shard_size` must be None, got {max_shard_size!r}: a flow's weights are in one file."
            )
        _require_new(filepath, overwrite)
        save_weights(self, filepath, optimizer=self._is_backup(filepath))

    def load_weights(self, filepath: str | os.PathLike, skip_mismatch: bool = False, **kwargs) -> None:
        """As Keras' own, but a file that is not exactly this flow's is refused, not loaded in part.

        Args:
          filepath: a `.weights.h5`, or a `.keras` file, of which the weights are taken.
          skip_mismatch: True loads what fits, by Keras' own rules: variables may be missing, extra or of another shape.

        Raises:
          CheckpointError: the file is missing or damaged, or a variable is missing, extra, of another shape or not of
            finite numbers; it names them.
        """
        strict = not skip_mismatch and not kwargs
        if not strict:
            require_finite_numbers(self, filepath)
        if strict:
            load_weights(self, filepath)
        if not strict or self._is_backup(filepath):  # whose optimizer's state is loaded, too
            super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)

    def load_own_variables(self, store: Any) -> None:
        """Of Keras, which calls it before any layer is loaded, whoever loads; refuses numbers that are not finite."""
        require_finite_store(self, store)
        super().load_own_variables(store)

    def fit(self, *args, **kwargs) -> keras.callbacks.History:
        given, kept = kwargs.get("callbacks"), keras.callbacks.BackupAndRestore
        callbacks = keras.tree.flatten(getattr(given, "callbacks", given))  # one, several, or a list of Keras' own
        self._backups = tuple(os.path.abspath(each.backup_dir) for each in callbacks if isinstance(each, kept))
        try:
            return super().fit(*args, **kwargs)
        finally:
            self._backups = ()

    def _is_backup(self, path):
        return os.path.dirname(os.path.abspath(path)) in self._backups

    def __reduce__(self) -> tuple[Any, ...]:
        named = {name: value for kind in type(self).__mro__ for name, value in vars(kind).items()}
        switches = [name for name, value in named.items() if isinstance(value, TracedOption) and name in vars(self)]
        return (*super().__reduce__(), {name: vars(self)[name] for name in switches})


def _require_new(path, overwrite):
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{os.fspath(path)} is there already. Pass overwrite=True to replace it.")


def frozen_layers(model: keras.Model) -> list[int]:
    """The numbers of the layers that are not trainable, the model itself being the first."""
    return [i for i, layer in enumerate(model._flatten_layers()) if not layer.trainable]


def freeze_layers(model: keras.Model, frozen: list[int]) -> None:
    """Makes these layers of a model frozen and all others trainable; a layer comes before those within it."""
    for i, layer in enumerate(model._flatten_layers()):
        if layer.trainable != (i not in frozen):
            layer.trainable = i not in frozen
