"""Weight files and flows: what each holds, whether they fit, and saving them alike every time.

Keras loads a deeper checkpoint into a shallower flow without a word, so the layout of the file is compared with that
of the flow first. The layout comes from attribute names, class names and list order, never from Keras' counters.
"""

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from flowzoo.conditioners import MADE
from flowzoo.errors import CheckpointError
from flowzoo.files import write_atomic
from flowzoo.layout import Layout, file_layout, require_readable, require_size

NOISE = "/variational_dequantization/"  # in the names of the weights of the noise flow


def flow_layout(flow: keras.Model) -> Layout:
    """The layout that `flow` has on disk, independent of other models of this process."""
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "layout.weights.h5")
        keras.Model.save_weights(flow, path)
        return file_layout(path)


def load_weights(flow: keras.Model, path: str | Path) -> None:
    """Load a `.weights.h5` file, refusing one that is not exactly this flow's.

    Args:
        flow: the flow to load into; unchanged when the file is refused.
        path: a file by `save_weights`, flowzoo's or Keras'.

    Raises:
        CheckpointError: the file is damaged, or a variable is missing, extra, or of another shape; all that differ are
            counted and the first ones named.
    """
    require_readable(path, flow_layout(flow))
    keras.Model.load_weights(flow, path)


def load_simpler(flow: keras.Model, path: str | Path) -> None:
    """Start a family's flow from weights of a simpler one, so that a new one begins with the same densities.

    The simpler flow has the same config without the condition (and a base for it) or the splines, or with fewer hidden
    units or a smaller noise flow. The networks' weights for the condition, which they take after their other inputs,
    become zero, as do those from new hidden units to old ones, and what only the new flow has stays as it is: in a new
    flow the identity.
    Masked networks (MADE) can be neither widened nor given a condition: their units would change places.

    Args:
        flow: the flow to load into; unchanged when the file is refused.
        path: a file by `save_weights`, flowzoo's or Keras'.

    Raises:
        CheckpointError: the file is damaged, or of no such flow.
    """
    own = flow_layout(flow)
    require_size(path, own)
    layout = file_layout(path)
    if not any(layout == flow_layout(simpler) for simpler in _simpler(flow, own, layout)):
        raise CheckpointError(f"{path} holds the weights of another config. Build the flow with that config.")
    with tempfile.TemporaryDirectory() as scratch:
        widened = os.path.join(scratch, "widened.weights.h5")
        keras.Model.save_weights(flow, widened)
        with h5py.File(path, "r") as old, h5py.File(widened, "r+") as new:
            for name, shape in layout.items():
                value = np.array(new[name])
                if len(shape) > 1:
                    value[..., shape[-2] :, : shape[-1]] = 0.0  # from new inputs to old outputs
                value[tuple(slice(size) for size in shape)] = old[name][()]
                new[name][()] = value
        keras.Model.load_weights(flow, widened)


def _simpler(flow: keras.Model, own: Layout, layout: Layout) -> Iterator[keras.Model]:
    """Flows of the same config without one part, or several, of what a file of this layout may lack."""
    config = flow.get_config()
    choices = [[{"bins": 0}] if config.get("bins") and config["affine"] else [], _smaller_noise(config, layout)]
    if not any(isinstance(layer, MADE) for layer in flow._flatten_layers()):
        plain = {key: 0 for key in ("classes", "condition_features") if config.get(key)}
        plain |= {"base": "normal"} if config["base"] == "class-conditional" else {}  # as which it starts
        choices += [[plain] if plain else [], _narrower(config.get("hidden"), own, layout)]
    _, *changed = itertools.product(*([{}, *choice] for choice in choices))
    for chosen in changed:
        yield type(flow).from_config(config | {key: value for change in chosen for key, value in change.items()})


def _smaller_noise(config: dict[str, Any], layout: Layout) -> list[dict[str, int]]:
    """The couplings, and the width of their networks, of the file's noise flow if it is smaller than the flow's."""
    if not config.get("noise_depth"):
        return []
    widths = [shape[-1] for name, shape in layout.items() if NOISE in name and name.endswith("first/vars/0")]
    noise = {"noise_depth": len(widths), "noise_hidden": widths[0] if widths else config["noise_hidden"]}
    smaller = all(noise[key] <= config[key] for key in noise) and any(noise[key] < config[key] for key in noise)
    return [noise] if smaller else []


def _narrower(wide: int | None, own: Layout, layout: Layout) -> list[dict[str, int]]:
    """What may be the width of the flow's networks in the file, as far as its variables' shapes tell it."""
    sizes = ((layout[name], own[name]) for name in layout.keys() & own.keys() if NOISE not in name)
    pairs = (pair for shapes in sizes for pair in zip(*shapes, strict=False))
    widths = {old for old, new in pairs if new == wide and old < wide}
    return [{"hidden": width} for width in sorted(widths)]


def save_weights(flow: keras.Model, path: str | Path) -> None:
    """Write the weights of a flow, all or nothing: no optimizer slots, and the same bytes each time.

    Args:
        flow: any flow, compiled or not.
        path: where to; it ends in `.weights.h5`, by which Keras knows such files.
    """
    if not str(path).endswith(".weights.h5"):
        raise ValueError(f"`path` must end in .weights.h5, as in 'name.weights.h5', got {str(path)!r}.")
    with tempfile.TemporaryDirectory() as scratch:
        written, plain = os.path.join(scratch, "keras.weights.h5"), os.path.join(scratch, "plain.h5")
        keras.Model.save_weights(flow, written)
        _copy_variables(written, plain)
        write_atomic(path, Path(plain).read_bytes())


def _copy_variables(source: str, target: str) -> None:
    """Copy the variables only: Keras also notes layer names, whose counters differ from process to process."""
    with h5py.File(source, "r") as old, h5py.File(target, "w") as new:
        for name in sorted(file_layout(source)):
            new.create_dataset(name, data=old[name][()])
