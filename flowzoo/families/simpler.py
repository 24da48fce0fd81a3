"""The ways in which a weight file may be of a simpler flow than the one that starts from it.

Each gives the options that such a flow may have, as far as the shapes in the file show; `models.weights.load_simpler`
tries them, one by one and together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowzoo.core.layout import Layout

Changes = list[dict[str, Any]]
Start = Callable[[dict[str, Any], Layout, Layout], Changes]  # of a configuration, its layout, and that of the file

NOISE = "/variational_dequantization/"  # in the names of the weights of the noise flow


def without_condition(config: dict[str, Any], own: Layout, layout: Layout) -> Changes:
    """Without the condition; a base for classes starts as a normal one."""
    plain = {key: 0 for key in ("classes", "condition_features") if config[key]}
    plain |= {"condition": None} if config["condition"] else {}
    plain |= {"base": "normal"} if config["base"] == "class-conditional" else {}
    return [plain] if plain else []


def narrower(config: dict[str, Any], own: Layout, layout: Layout) -> Changes:
    """With fewer hidden units: what may be the width of the networks in the file."""
    wide = config.get("hidden")
    sizes = ((layout[name], own[name]) for name in layout.keys() & own.keys() if NOISE not in name)
    pairs = (pair for shapes in sizes for pair in zip(*shapes, strict=False))
    return [{"hidden": width} for width in sorted({old for old, new in pairs if new == wide and old < wide})]


def smaller_noise(config: dict[str, Any], own: Layout, layout: Layout) -> Changes:
    """With fewer couplings, or narrower ones, in the flow that draws the noise, or none."""
    if not config["noise_depth"]:
        return []
    widths = [shape[-1] for name, shape in layout.items() if NOISE in name and name.endswith("first/vars/0")]
    noise = {"noise_depth": len(widths), "noise_hidden": widths[0] if widths else config["noise_hidden"]}
    smaller = all(noise[key] <= config[key] for key in noise) and any(noise[key] < config[key] for key in noise)
    return [noise] if smaller else []


def without_splines(config: dict[str, Any], own: Layout, layout: Layout) -> Changes:
    """With the affine maps alone, which stand before the splines."""
    return [{"bins": 0}] if config["bins"] and config["affine"] else []
