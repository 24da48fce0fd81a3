"""Options that several families take: bounds, synonyms and a line of docs of each, stated once."""

from __future__ import annotations

from typing import Any

from flowzoo.families.options import option
from flowzoo.families.values import BITS, LAYERS, LIMIT, SCALES, WIDTH, Count, Flag, Number


def bits(default: int = 0, doc: str = "x holds integers 0 ... 2^bits - 1; 0 for continuous vectors.") -> Any:
    return option(default, Count(0, BITS), doc)


def levels(default: int) -> Any:
    aka = "scales num_scales n_scales num_levels n_levels"
    return option(default, Count(1, SCALES), "number of scales, images only.", aka=aka, only="images", grows="layers")


def depth(default: int, doc: str, least: int = 1) -> Any:
    aka = "layers flows transforms blocks steps couplings bijectors n_layers num_layers n_flows num_flows"
    return option(default, Count(least, LAYERS), doc, aka=aka, grows="layers")


def hidden(default: int = 64, doc: str = "width of the networks.") -> Any:
    aka = "units width channels neurons hidden_features hidden_units hidden_size hidden_dim hidden_channels"
    return option(default, Count(1, WIDTH), doc, aka=aka, grows="width")


def blocks(default: int = 2, doc: str = "hidden layers of each network.") -> Any:
    aka = "hidden_layers num_blocks n_blocks num_hidden_layers"
    return option(default, Count(1, LAYERS), doc, aka=aka, grows="layers")


def growth(
    doc: str = "bound on the log-scales of the couplings in encode; a small one (0.5) keeps deep stacks stable.",
) -> Any:
    return option(2.0, Number(LIMIT), doc)


AFFINE_FIRST = "; with `affine` also 0 for none, to train the affine maps first and continue from those weights"


def bins(zero: str = AFFINE_FIRST) -> Any:
    doc = f"of the rational-quadratic splines, 2 to 20{zero}."
    return option(8, Count(0 if zero else 2, 20), doc, aka="num_bins n_bins count_bins knots", grows="width")


def bound() -> Any:
    doc = "half the length of the splines' interval, outside which they are the identity."
    return option(3.0, Number(LIMIT), doc, aka="tail_bound bounds interval limit")


def affine(given: str) -> Any:
    return option(False, Flag(), f"a shift and a scale before each spline, {given}; for data of many scales.")


def residual() -> Any:
    return option(False, Flag(), "skip connections in the networks.")


def random_order() -> Any:
    doc = "a random order of the features in each layer, instead of natural and reversed order in turn."
    return option(False, Flag(), doc)


def whiten(only: str = "") -> Any:
    doc = f"begin with a linear map that `adapt` sets so that features are uncorrelated{only and f'; {only} only'}."
    return option(False, Flag(), doc, only=only)


def alpha(default: float, doc: str = "of the logit that integers pass through; 0 for none.") -> Any:
    return option(default, Number(0.5, zero=True), doc, only="images")


def position() -> Any:
    doc = "give the networks a learned bias per position; good for aligned data. Images only."
    return option(False, Flag(), doc, only="images")


def noise_depth() -> Any:
    doc = "couplings of the flow that draws the noise of variational dequantization, images only; 0 for uniform noise."
    return option(0, Count(0, LAYERS), doc, only="images", grows="layers")


def noise_hidden() -> Any:
    return option(32, Count(1, WIDTH), "hidden channels of the networks of that flow.", only="images")
