"""What all families share: a flat configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from flowzoo.flows.base import Flow


class Family(Flow):
    """A flow made from flat keywords, which its constructor leaves in `config`; so it saves to `.keras` too."""

    config: dict[str, Any]

    def get_config(self) -> dict[str, Any]:
        return {**self.config, "name": self.name}


def keywords(constructor: Callable, values: dict[str, Any]) -> dict[str, Any]:
    """The flat configuration of a family: the arguments of its constructor, of its `locals()`, but for `name`."""
    names = [name for name in inspect.signature(constructor).parameters if name not in ("self", "name")]
    return {name: list(values[name]) if isinstance(values[name], tuple) else values[name] for name in names}
