"""What goes into the files of a model besides its weights, and under which names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.backend.common import global_state

from flowzoo.core import files
from flowzoo.models.layers import frozen_layers, frozen_weights


@contextlib.contextmanager
def keras_file(filepath: str | os.PathLike, overwrite: bool, zipped: bool | None) -> Iterator[str | os.PathLike]:
    """The path at which Keras should write a `.keras` file, which is moved into place once it is complete.

    Raises:
      ValueError: the name does not end in `.keras`, or `zipped` is False.
      FileExistsError: the file exists, and `overwrite` is False.
    """
    if zipped is False:  # HDF5 would write into the folder, and crash when the disk is full
        raise ValueError("`zipped` must be True or None, got False: flows are saved to one `.keras` file.")
    hub = str(filepath).startswith("hf://")
    if not hub and not str(filepath).endswith(".keras"):
        raise ValueError(
            f"`filepath` must end in .keras, got {os.fspath(filepath)!r}; from other formats Keras can't rebuild a "
            "flow. Save to .keras, or the weights alone by `save_weights('name.weights.h5')`."
        )
    if hub or "://" in str(filepath):
        yield filepath
        return
    require_new(filepath, overwrite)
    with files.replacing(filepath) as beside:
        yield beside


def require_no_hdf5() -> None:
    """Refuses Keras' old HDF5 format, if that is what Keras is about to write, as `keras.saving.save_model` may.

    Keras then asks a model only for its configuration, and a flag of Keras' own says what for.

    Raises:
      ValueError: it is HDF5.
    """
    if global_state.get_global_attribute("use_legacy_config"):
        raise ValueError(
            "A flow must be saved to a name that ends in .keras, got HDF5, from which Keras can't rebuild a flow. "
            "Save to .keras, or the weights alone by `save_weights('name.weights.h5')`."
        )


def require_new(path: str | os.PathLike, overwrite: bool) -> None:
    """FileExistsError if a file exists that must not be replaced."""
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{os.fspath(path)} already exists. Pass overwrite=True to replace it.")


def with_slots(model: keras.Model, config: dict[str, Any] | None) -> dict[str, Any] | None:
    """Keras' compile config, with `slots`, the numbers of the weights that have slots, unless all trainable ones have.

    None says that the optimizer was not built.
    """
    optimizer = getattr(model, "optimizer", None)
    if config is None or optimizer is None:
        return config
    place = {id(weight): i for i, weight in enumerate(model.weights)}
    slots = [place.get(id(weight)) for weight in optimizer._trainable_variables] if optimizer.built else None
    usual = [place[id(weight)] for weight in model.trainable_weights]
    frozen = frozen_layers(model) or frozen_weights(model)  # in a new flow there are none
    if None in (slots or ()) or (slots == usual and not frozen):
        return config
    return {**config, "slots": slots}
