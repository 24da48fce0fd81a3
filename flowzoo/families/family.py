"""What all families share: a flat configuration."""

from __future__ import annotations

import functools
import inspect
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from flowzoo import bases
from flowzoo.bijectors import Bounds, Chain, Standardize
from flowzoo.bijectors.bounds import check_bounds
from flowzoo.core.checks import check_count, check_flag, check_number, check_shape
from flowzoo.core.limits import counting
from flowzoo.core.transform import Transform
from flowzoo.models.flow import Flow
from flowzoo.models.stored_model import freeze_layers, frozen_layers

KEPT = ("columns", "condition_columns", "frozen")  # the names of columns, and the numbers of frozen layers
ASSETS = "flow.json"  # where they are in a `.keras` file


class Family(Flow):
    """A flow made from flat keywords, so that it saves to `.keras` too.

    All families of continuous vectors take two options, for what stands between the data and their own layers:

      standardize: each column is first shifted and scaled (`bijectors.Standardize`), by numbers that `adapt` sets, so
        that results do not depend on its unit. Off by default, as in presets; `flowzoo.create` turns it on.
      bounds: one [low, high] per column, either of them None, or None for the column; outside log p(x) is -inf
        (`bijectors.Bounds`). Or None for no bounds at all.

    With either of them x is float64, whatever the flow's own dtype: `data_dtype` says so, `log_prob` takes x in
    float64, and `sample`, `decode` and exports give it in float64. Latents and log-densities keep the flow's dtype.

    Args:
      transform: as in `Flow`.
      config: the keywords of the family's constructor; all families have `base`, `classes` and `condition_features`.
      name: Keras name.
    """

    def __init__(self, transform: Transform, config: dict[str, Any], name: str | None):
        transform = _with_units(transform, config)
        condition = {key: config[key] for key in ("classes", "condition_features")}
        dtype = transform.compute_dtype
        base = bases.named(config["base"], transform.latent_shape, classes=config["classes"], dtype=dtype)
        super().__init__(transform, base, **condition, name=name)
        self.config = config

    def get_config(self) -> dict[str, Any]:
        """The keywords of the constructor."""
        return {**self.config, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Family:
        """As Keras' own; a flow of too many weights is refused, as by `flows.create`."""
        config = dict(config)
        kept = {key: config.pop(key) for key in KEPT if key in config}  # of files from before `save_assets`
        with counting():
            flow = super().from_config(config)
        flow._keep(kept)
        return flow

    def save_assets(self, dir_path: str) -> None:
        """Of Keras: writes to a `.keras` file what is neither weight nor configuration, if there is any."""
        kept = dict(zip(KEPT, (self.columns, self.condition_columns, frozen_layers(self)), strict=True))
        if any(kept.values()):
            Path(dir_path, ASSETS).write_text(json.dumps(kept))

    def load_assets(self, dir_path: str) -> None:
        """Of Keras: takes from a `.keras` file what `save_assets` wrote."""
        path = Path(dir_path, ASSETS)
        if path.exists():
            self._keep(json.loads(path.read_text()))

    def _keep(self, kept):
        self.columns, self.condition_columns = kept.get("columns"), kept.get("condition_columns")
        freeze_layers(self, kept.get("frozen") or [])


def keywords(constructor: Callable, values: dict[str, Any]) -> dict[str, Any]:
    """The flat configuration of a family, checked: the arguments of its constructor, of its `locals()`, but for `name`.

    Raises:
      ValueError: an option that is wrong by itself, whatever the family; it is named.
    """
    names = [name for name in inspect.signature(constructor).parameters if name not in ("self", "name")]
    config = {name: CHECKS[name](values[name], name) if name in CHECKS else values[name] for name in names}
    if config.get("bits"):
        if config["dtype"] != "float32":
            got = config["dtype"]
            raise ValueError(f"`dtype` must be 'float32' for integers, got {got!r}. `bits` 0 allows float64.")
        for name in UNITS:
            if config.get(name):
                raise ValueError(f"`{name}` is for vectors, leave it out for integers; got {config[name]!r}.")
    if config.get("bounds") is not None:
        config["bounds"] = check_bounds(config["bounds"], "bounds", config["event_shape"])
    return config


def _with_units(transform: Transform, config: dict[str, Any]) -> Transform:
    """The transform behind `Bounds` and `Standardize`, as far as the configuration asks for them."""
    shape, front = transform.event_shape, []
    if config.get("bounds") is not None:
        front.append(Bounds(shape, config["bounds"]))
    if config.get("standardize"):
        front.append(Standardize(shape))
    if not front:
        return transform
    return Chain([*front, *(transform.transforms if isinstance(transform, Chain) else [transform])])


def _dtype(value, what):
    if value not in ("float32", "float64"):
        raise ValueError(f"`{what}` must be 'float32' or 'float64', got {value!r}.")
    return value


def _policy(value, what):
    try:
        known = value is None or tf.as_dtype(keras.dtype_policies.get(value).compute_dtype).is_floating
    except (TypeError, ValueError):
        known = False
    if not known:
        raise ValueError(f"`{what}` must be a dtype policy as 'float32' or 'mixed_bfloat16', got {value!r}.")
    return value


def _event_shape(value, what):
    shape = check_shape(value, what)
    if math.prod(shape) > DIMENSIONS:
        raise ValueError(f"`{what}` must have at most {DIMENSIONS:,} entries, got {value!r}.")
    return list(shape)


def _limited(least=1, most=math.inf):
    """A check of whole numbers."""

    def checked(value, what):
        count = check_count(value, what, least)
        if count > most:
            raise ValueError(f"`{what}` must be at most {most:,}, got {count}.")
        return count

    return checked


# No flow needs more, and a mistyped number shall not build for hours, or fill the memory, before anyone sees it.
DIMENSIONS, DEPTH, LEVELS, WIDTH, CLASSES, BITS = 2**24, 1_000, 12, 2**14, 10**6, 16
SEEDS = 2**29  # of initial weights; the networks know 2^30, of which a flow takes one after the other
UNITS = ("standardize", "bounds")  # options of continuous vectors
LIMIT = 1e6  # of bounds; beyond, float32 has no digits left for what happens inside
CHECKS: dict[str, Callable[[Any, str], Any]] = {  # of what families take: (value, name) -> value, or raises
    "event_shape": _event_shape,
    "alpha": functools.partial(check_number, below=0.5, zero=True),
    "conditioner_dtype": _policy,
    "dtype": _dtype,
    "bits": _limited(least=0, most=BITS),
    "levels": _limited(most=LEVELS),
    **dict.fromkeys(("augment", "probes"), _limited(least=0, most=DEPTH)),
    "exact_up_to": _limited(least=0),
    "evaluation_probes": _limited(least=2, most=DEPTH),
    **dict.fromkeys(("max_steps", "steps"), _limited(most=WIDTH)),
    "noise_depth": _limited(least=0, most=DEPTH),
    "seed": _limited(least=0, most=SEEDS - 1),
    **dict.fromkeys(("blocks", "depth"), _limited(most=DEPTH)),
    "bins": _limited(least=0, most=WIDTH),
    **dict.fromkeys(("components", "hidden", "noise_hidden"), _limited(most=WIDTH)),
    **dict.fromkeys(("classes", "condition_features"), _limited(least=0, most=CLASSES)),
    **dict.fromkeys(("bound", "growth"), functools.partial(check_number, below=LIMIT)),
    **dict.fromkeys(("atol", "rtol", "time"), check_number),
    **dict.fromkeys(("jacobian", "kinetic"), functools.partial(check_number, zero=True)),
    **dict.fromkeys(
        ("affine", "multiscale", "position", "random_order", "residual", "standardize", "whiten"), check_flag
    ),
}
