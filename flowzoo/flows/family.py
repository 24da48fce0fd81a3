"""What all families share: a flat configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from flowzoo import bases
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
    """The flat configuration of a family: the arguments of its constructor, of its `locals()`, but for `name`."""
    names = [name for name in inspect.signature(constructor).parameters if name not in ("self", "name")]
    return {name: list(values[name]) if isinstance(values[name], tuple) else values[name] for name in names}
