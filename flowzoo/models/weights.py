"""Weight files and flows: what each holds, whether they fit, and saving the same bytes every time.

Keras loads a deeper checkpoint into a shallower flow silently, so the layout of the file is compared with that
of the flow first. The layout comes from attribute names, class names and list order, never from Keras' counters.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import keras
import tensorflow as tf
from keras.src.saving import saving_lib

from flowzoo.core.errors import CheckpointError
from flowzoo.core.files import write_atomic
from flowzoo.core.layout import (
    Layout,
    Numbers,
    file_layout,
    packed,
    read_numbers,
    require_file,
    require_finite,
    require_readable,
    require_size,
)
from flowzoo.models import forked


class _Memory(io.BytesIO):
    """A file in memory, which Keras takes for one on disk by its name: HDF5 crashes when a real one fills the disk."""

    def __str__(self) -> str:
        return "memory.weights.h5"


class _Variables(saving_lib.H5IOStore):
    """A Keras store that keeps the variables themselves, by their paths: no value is read, and no file is made."""

    def __init__(self):
        self.found: dict[str, keras.Variable] = {}

    def __bool__(self) -> bool:
        return True

    def make(self, path: str, metadata: Any = None) -> _Variables:
        self.path = f"{path}/vars" if path else "vars"
        return self

    def __setitem__(self, key: str, value: keras.Variable) -> None:
        self.found[f"{self.path}/{key}"] = value


_SETTING = {
    keras.Layer.load_own_variables,
    keras.layers.Dense.load_own_variables,
    keras.layers.Conv2D.load_own_variables,
}


def sets_variables(load_own_variables: Callable) -> Callable:
    """A decorator for a `load_own_variables` that sets the variables and does nothing else."""
    _SETTING.add(load_own_variables)
    return load_own_variables


def flow_layout(flow: keras.Model) -> Layout:
    """The layout that `flow` has on disk, independent of other models of this process."""
    return _layout(_variables(flow))


def load_weights(flow: keras.Model, path: str | os.PathLike, found: Layout | None = None) -> None:
    """Load a file of weights, refusing one that is not exactly this flow's.

    Args:
        flow: the flow to load into; unchanged when the file is refused. An optimizer's state stays as it is.
        path: a `.weights.h5` by `save_weights`, flowzoo's or Keras', or a `.keras` file.
        found: the file's `file_layout`, if that is known.

    Raises:
        CheckpointError: the file is damaged, a variable is missing, extra, or of another shape, or a number is not
            finite; all that differ are counted and the first ones named.
    """
    forked.refuse()
    variables = _variables(flow)
    with _weight_file(path) as file:
        numbers = require_readable(file, _layout(variables), _kinds(variables), found)
    _assign(flow, variables, numbers)


def require_finite_numbers(flow: keras.Model, path: str | os.PathLike) -> None:
    """Refuses a file, of whatever layout, from which Keras would load numbers that are not finite into this flow.

    Args:
        flow: whose variables are to be loaded.
        path: as in `load_weights`.

    Raises:
        CheckpointError: the file is missing or damaged, or holds such numbers; it names the variables.
    """
    with _weight_file(path) as inner:
        file_layout(inner)  # which refuses other kinds of file
        with h5py.File(inner, "r") as file:
            require_finite(file, _kinds(_variables(flow)), str(inner))


def require_finite_store(flow: keras.Model, store: Any) -> None:
    """As `require_finite_numbers`, for the open file from which Keras is about to load this flow.

    Keras notes the error and continues with the layers, so these must find nothing there.
    """
    file = getattr(store, "h5_file", None)
    if file is None:
        return
    try:
        require_finite(file, _kinds(_variables(flow)), "the weights in this file")
    except CheckpointError:
        store.get = lambda path: {}
        raise


def load_simpler(flow: keras.Model, path: str | os.PathLike) -> None:
    """Start a family's flow from weights of a simpler one, so that a new one begins with the same densities.

    The family's options say in which ways it may be simpler (`starts`). The networks' weights for the condition, which
    follow those for their other inputs, become zero, as do those from new hidden units to old ones; what only the new
    flow has stays as it is: in a new flow, the identity.

    Args:
        flow: the flow to load into; unchanged when the file is refused.
        path: a file by `save_weights`, flowzoo's or Keras'.

    Raises:
        CheckpointError: the file is damaged, or not of such a flow.
    """
    variables = _variables(flow)
    own = _layout(variables)
    require_size(path, own)
    layout = file_layout(path)
    if not any(layout == flow_layout(simpler) for simpler in flow.simpler(own, layout)):
        raise CheckpointError(f"{path} holds the weights of another config. Build the flow with that config.")
    widened = read_numbers(_written(flow), own)
    for name, old in require_readable(path, layout, _kinds(variables)).items():
        value, shape = widened[name], old.shape
        if len(shape) > 1:
            value[..., shape[-2] :, : shape[-1]] = 0.0  # from new inputs to old outputs
        value[tuple(slice(size) for size in shape)] = old
    _assign(flow, variables, widened)


def save_weights(flow: keras.Model, path: str | os.PathLike, optimizer: bool = False) -> None:
    """Write the weights of a flow, all or nothing, and the same bytes each time.

    Args:
        flow: any flow, compiled or not.
        path: where to write, or a URL that TensorFlow knows; it ends in `.weights.h5`, by which Keras knows such files.
        optimizer: whether its state is written, too, as Keras writes it.
    """
    if not str(path).endswith(".weights.h5"):
        raise ValueError(f"`path` must end in .weights.h5, as in 'name.weights.h5', got {str(path)!r}.")
    memory = _written(flow, optimizer)
    content = memory.getvalue() if optimizer else packed(read_numbers(memory, file_layout(memory)))
    if "://" not in str(path):
        write_atomic(path, content)
        return
    with tf.io.gfile.GFile(str(path), "wb") as file:  # a bucket, where a file appears whole
        file.write(content)


def _written(flow: keras.Model, optimizer: bool = False) -> _Memory:
    """The flow's variables as Keras writes them, under the paths that it gives them."""
    memory = _Memory()
    keras.saving.save_weights(flow, memory, objects_to_skip=[] if optimizer else [getattr(flow, "optimizer", None)])
    return memory


def _variables(flow: keras.Model) -> dict[str, keras.Variable]:
    """The flow's variables under the paths that Keras gives them in a file, without the optimizer's."""
    store, skipped = _Variables(), {id(getattr(flow, "optimizer", None))}
    saving_lib._save_state(flow, store, assets_store=None, inner_path="", visited_saveables=skipped)
    return store.found


def _layout(variables):
    return {name: tuple(variable.shape) for name, variable in variables.items()}


def _kinds(variables):
    return {name: keras.backend.standardize_dtype(variable.dtype) for name, variable in variables.items()}


@contextlib.contextmanager
def _weight_file(path: str | os.PathLike) -> Iterator[str | os.PathLike]:
    """The path itself, or that of the weights within a `.keras` file; errors name the former."""
    require_file(path)
    if not str(path).endswith(".keras"):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                inner = archive.extract("model.weights.h5", folder)
        except (KeyError, OSError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{path}: expected a `.keras` file that holds weights, got: {error}.") from error
        try:
            yield inner
        except CheckpointError as error:
            raise CheckpointError(str(error).replace(inner, str(path))) from None


def _assign(flow: keras.Model, variables: dict[str, keras.Variable], numbers: Numbers) -> None:
    """Sets all variables of the flow; `numbers` are known to fit: at one that did not, Keras would stop halfway.

    One by one, as Keras walks through all attributes of all layers again, which takes ten times as long.
    """
    if all(map(_is_its_variables, flow._flatten_layers())):
        for name, variable in variables.items():
            variable.assign(numbers[name])
        return
    skipped = [getattr(flow, "optimizer", None)]
    keras.saving.load_weights(flow, _Memory(packed(numbers)), objects_to_skip=skipped)


def _is_its_variables(layer: keras.Layer) -> bool:
    """Whether loading this layer sets its variables and does nothing else, unlike Normalization or quantized layers."""
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        return False
    return type(layer).load_own_variables in _SETTING
