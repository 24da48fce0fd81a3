"""The architecture of a preset in words, from its configuration alone."""

from collections.abc import Mapping
from typing import Any

from flowzoo.record.preset import Preset

_IMAGES = {
    "glow": "Glow: {levels} scales of {depth} steps, each an ActNorm, an invertible 1x1 convolution and an "
    "{coupling} coupling whose network has {hidden} channels; half of the channels leave after each scale, under a "
    "learned prior.",
    "realnvp": "Real NVP: {levels} scales, each {depth} checkerboard couplings, a squeeze and {depth} channel "
    "couplings, whose residual networks have {blocks} blocks of {hidden} channels; half of the channels leave "
    "between scales.",
    "nsf-coupling": "Neural spline flow: {levels} scales of {depth} of Glow's steps with {maps}, whose networks have "
    "{hidden} channels.",
}
_MULTISCALE = {
    "ffjord": "FFJORD: {levels} scales of {depth} neural ODEs after an ActNorm each, solved by {method}, whose "
    "networks have {blocks} concat-squash layers of {hidden} channels; half of the channels leave between scales.",
}
_VECTORS = {
    "glow": "Glow on vectors: {depth} steps, each an ActNorm, an invertible linear map and an {coupling} coupling "
    "whose network has layers of {hidden} units.",
    "realnvp": "Real NVP: {depth} affine couplings whose masks alternate, with ActNorm; their networks have layers of "
    "{hidden} units.",
    "nice": "NICE: {depth} additive couplings whose masks alternate, with networks of {hidden} units, and one learned "
    "scale per feature.",
    "maf": "Masked autoregressive flow: {depth} affine layers, each feature given those before it, by masked networks "
    "of {hidden} units. Densities take one pass, samples one step per feature.",
    "maf-mog": "Masked autoregressive flow: {depth} affine layers, then an autoregressive mixture of {components} "
    "Gaussians per feature; masked networks of {hidden} units. Densities take one pass.",
    "iaf": "Inverse autoregressive flow: {depth} affine layers by masked networks of {hidden} units. Samples take one "
    "pass, densities one step per feature.",
    "nsf-coupling": "Neural spline flow: {depth} couplings with {maps} and networks of {hidden} units.",
    "nsf-ar": "Autoregressive neural spline flow: {depth} layers of {maps}, masked networks of {hidden} units. "
    "Densities take one pass, samples one step per feature.",
    "cnf": "Continuous normalizing flow: {depth} neural ODEs after an ActNorm each, solved by {method}, whose networks "
    "have {blocks} layers of {hidden} units; exact trace.",
    "ffjord": "FFJORD: {depth} neural ODEs after an ActNorm each, solved by {method}, whose networks have {blocks} "
    "concat-squash layers of {hidden} units.",
    "planar": "Planar flow: {depth} planar maps in a row, each a bend along one direction.",
    "radial": "Radial flow: {depth} radial maps in a row, each a contraction or expansion about one point.",
}
_DEFAULTS = {"coupling": "affine", "levels": "several", "depth": "several", "hidden": "several", "blocks": 2}
_DEFAULTS |= {"components": 10, "method": "dopri5"}
_OWN_DEFAULTS = {family: {"alpha": 1e-6} for family in ("maf", "maf-mog", "iaf", "nsf-ar")}
_OWN_DEFAULTS |= {"realnvp": {"alpha": 0.05}, "ffjord": {"blocks": 3}}


def architecture(preset: Preset) -> str:
    """What the flow consists of, in a few sentences; a family without a description is named."""
    config = _DEFAULTS | _OWN_DEFAULTS.get(preset.family, {}) | preset.config
    config["maps"] = "affine maps" if config.get("bins") == 0 else "rational-quadratic splines"
    images = _MULTISCALE if config.get("multiscale") else _IMAGES
    templates = images if len(config["event_shape"]) == 3 and preset.family in images else _VECTORS
    template = templates.get(preset.family, f"The family `{preset.family}`.")
    return " ".join([template.format_map(config), *_extras(preset.family, config)])


def _extras(family: str, config: Mapping[str, Any]) -> list[str]:
    said = []
    if config.get("bounds"):
        said.append("Columns with bounds pass through a logit or a logarithm.")
    if config.get("standardize"):
        said.append("Each column is standardised first.")
    if config.get("whiten"):
        said.append("Features are whitened first.")
    if config.get("affine") and config.get("bins") != 0:
        said.append("A shift and a scale come before each spline.")
    if config.get("alpha") and config.get("bits"):
        said.append(f"Pixels pass through a logit with alpha {config['alpha']:g}.")
    if config.get("noise_depth"):
        said.append(
            f"Variational dequantization: a flow of {config['noise_depth']} couplings draws the noise that is added to "
            "the integers."
        )
    elif config.get("bits"):
        said.append("Uniform noise dequantizes the integers.")
    if config.get("kinetic") or config.get("jacobian"):
        kinetic, jacobian = config.get("kinetic", 0), config.get("jacobian", 0)
        said.append(f"RNODE's penalties in training: kinetic {kinetic:g}, Jacobian {jacobian:g}.")
    if config.get("probes") == 0:
        said.append("The trace is exact in training, too.")
    if config.get("augment"):
        said.append(f"{config['augment']} dimensions of noise are added.")
    if config.get("growth"):
        said.append(f"Couplings enlarge at most by exp({config['growth']:g}).")
    if config.get("position"):
        said.append("The networks have a learned bias per position.")
    base = config.get("base", "normal")
    if base not in ("normal", "class-conditional"):
        said.append(f"The base is `{base}`.")
    if config.get("classes"):
        prior = " and the prior" if family == "glow" or base == "class-conditional" else ""
        said.append(f"The class, one of {config['classes']}, conditions the networks{prior}.")
    return said
