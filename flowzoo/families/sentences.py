"""A flow in words, for its card: what its family says, and what the options say that families share."""

from __future__ import annotations

from typing import Any

from flowzoo.families.options import Options, fields
from flowzoo.families.values import called


def description(options: Options) -> str:
    """What the flow consists of, in a few sentences."""
    return " ".join([options.describe(), *_shared(options, options.config())])


def spline_maps(bins: int) -> str:
    """What splines of this many bins are called."""
    return "rational-quadratic splines" if bins else "affine maps"


def _shared(options: Options, config: dict[str, Any]) -> list[str]:
    said = []
    if config["bounds"]:
        said.append("Columns with bounds pass through a logit or a logarithm.")
    if config["standardize"]:
        said.append("Each column is standardised first.")
    if config.get("whiten"):
        said.append("Features are whitened first.")
    if config.get("affine") and config["bins"]:
        said.append("A shift and a scale come before each spline.")
    if config.get("bits") and options.dequantizes:
        if config.get("alpha"):
            said.append(f"Pixels pass through a logit with alpha {config['alpha']:g}.")
        said.append(
            f"Variational dequantization: a flow of {config['noise_depth']} couplings draws the noise that is added to "
            "the integers."
            if config.get("noise_depth")
            else "Uniform noise dequantizes the integers."
        )
    if config.get("kinetic") or config.get("jacobian"):
        said.append(f"RNODE's penalties in training: kinetic {config['kinetic']:g}, Jacobian {config['jacobian']:g}.")
    if config.get("probes") == 0:
        said.append("The trace is exact in training, too.")
    if config.get("augment"):
        said.append(f"{config['augment']} dimensions of noise are added.")
    if "growth" in config and config["growth"] != fields(type(options))["growth"].default:
        said.append(f"Couplings enlarge by at most exp({config['growth']:g}).")
    if config.get("position"):
        said.append("The networks have a learned bias per position.")
    if config["base"] not in ("normal", "class-conditional"):
        said.append(f"The base is `{called(config['base'])}`.")
    if classes := options.only_classes:
        prior = " and the prior" if options.class_prior or config["base"] == "class-conditional" else ""
        said.append(f"The class, one of {classes}, conditions the networks{prior}.")
    elif options.conditions:
        said.append(f"The networks are conditioned on {options.conditions.described()}.")
    return said
