"""What all families share: a flat configuration."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from flowzoo import bases
from flowzoo.checks import check_count, check_flag, check_number, check_shape
from flowzoo.flows.base import Flow
from flowzoo.transform import Transform


class Family(Flow):
    """A flow made from flat keywords, so that it saves to `.keras` too.

    Args:
      transform: as in `Flow`.
      config: the keywords of the family's constructor; all families have `base`, `classes` and `condition_features`.
      name: Keras name.
    """

    def __init__(self, transform: Transform, config: dict[str, Any], name: str | None):
        condition = {key: config[key] for key in ("classes", "condition_features")}
        dtype = transform.compute_dtype
        base = bases.named(config["base"], transform.latent_shape, classes=config["classes"], dtype=dtype)
        super().__init__(transform, base, **condition, name=name)
        self.config = config

    def get_config(self) -> dict[str, Any]:
        return {**self.config, "name": self.name}


def keywords(constructor: Callable, values: dict[str, Any]) -> dict[str, Any]:
    """The flat configuration of a family, checked: the arguments of its constructor, of its `locals()`, but for `name`.

    Raises:
      ValueError: an option that is wrong by itself, whatever the family; it is named.
    """
    names = [name for name in inspect.signature(constructor).parameters if name not in ("self", "name")]
    config = {name: CHECKS[name](values[name], name) if name in CHECKS else values[name] for name in names}
    if config.get("bits") and config["dtype"] != "float32":
        raise ValueError(f"`dtype` must be 'float32' for integers, got {config['dtype']!r}. `bits` 0 allows float64.")
    return config


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


_from_0 = functools.partial(check_count, least=0)
CHECKS: dict[str, Callable[[Any, str], Any]] = {  # of what families take: (value, name) -> value, or raises
    "event_shape": lambda value, what: list(check_shape(value, what)),
    "alpha": functools.partial(check_number, below=0.5, zero=True),
    "conditioner_dtype": _policy,
    "dtype": _dtype,
    **dict.fromkeys(("augment", "bits", "classes", "condition_features", "exact_up_to", "noise_depth"), _from_0),
    **dict.fromkeys(("probes", "seed"), _from_0),
    **dict.fromkeys(("bins", "blocks", "components", "depth", "hidden", "levels", "noise_hidden"), check_count),
    **dict.fromkeys(("max_steps", "steps"), check_count),
    **dict.fromkeys(("atol", "bound", "growth", "rtol", "time"), check_number),
    **dict.fromkeys(("jacobian", "kinetic"), functools.partial(check_number, zero=True)),
    **dict.fromkeys(("affine", "multiscale", "position", "random_order", "residual", "whiten"), check_flag),
}
