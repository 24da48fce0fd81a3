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
    "nsf-coupling": "Neural spline flow: {levels} scales of {depth} of Glow's steps with rational-quadratic splines, "
    "whose networks have {hidden} channels.",
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
    "maf-mog": "Masked autoregressive flow of {depth} layers that ends with an autoregressive mixture of {components} "
    "Gaussians per feature; masked networks of {hidden} units. Densities take one pass.",
    "iaf": "Inverse autoregressive flow: {depth} affine layers by masked networks of {hidden} units. Samples take one "
    "pass, densities one step per feature.",
    "nsf-coupling": "Neural spline flow: {depth} couplings with rational-quadratic splines and networks of "
    "{hidden} units.",
    "nsf-ar": "Autoregressive neural spline flow: {depth} layers of rational-quadratic splines, masked networks of "
    "{hidden} units. Densities take one pass, samples one step per feature.",
    "cnf": "Continuous normalizing flow: {depth} neural ODEs after an ActNorm each, solved by {method}, whose networks "
    "have {blocks} layers of {hidden} units; exact trace.",
    "ffjord": "FFJORD: {depth} neural ODEs after an ActNorm each, solved by {method}, whose networks have {blocks} "
    "concat-squash layers of {hidden} units.",
    "planar": "Planar flow: {depth} planar maps in a row, each a bend along one direction.",
    "radial": "Radial flow: {depth} radial maps in a row, each a contraction or expansion about one point.",
}
_DEFAULTS = {"coupling": "affine", "levels": "several", "depth": "several", "hidden": "several", "blocks": 2}
_DEFAULTS |= {"components": 10, "method": "dopri5"}


def architecture(preset: Preset) -> str:
    """What the flow consists of, in a few sentences; a family without a description is named."""
    config = preset.config
    templates = _IMAGES if len(config["event_shape"]) == 3 and preset.family in _IMAGES else _VECTORS
    template = templates.get(preset.family, f"The family `{preset.family}`.")
    return " ".join([template.format_map(_DEFAULTS | config), *_extras(config)])


def _extras(config: Mapping[str, Any]) -> list[str]:
    said = []
    if config.get("bounds"):
        said.append("Columns with bounds pass through a logit or a logarithm.")
    if config.get("standardize"):
        said.append("Each column is standardised first.")
    if config.get("alpha"):
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
    if config.get("classes"):
        said.append(f"The prior is one of {config['classes']}, by class.")
    return said
