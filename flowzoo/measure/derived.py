"""A measured likelihood in other terms: divergence, nats in [0, 1]^D or in logit space; and what it cost."""

import math
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from flowzoo.bijectors import Logit
from flowzoo.core.errors import PresetError
from flowzoo.data import density
from flowzoo.families.neural_ode import ContinuousFlow
from flowzoo.record.preset import Preset

if TYPE_CHECKING:
    from flowzoo.models.flow import Flow

UNIT, LOGIT, KL = "log_likelihood_unit", "log_likelihood_logit", "kl_divergence"
EVALUATIONS = "evaluations"
TOLERANCES = {UNIT: 0.5, LOGIT: 0.5, KL: 1e-3, EVALUATIONS: 0.5}  # nats, of images over hundreds of pixels; a count
_ROWS = 500


def restated(
    preset: Preset, flow: "Flow", x: np.ndarray, condition: np.ndarray | None, values: np.ndarray, seed: int = 0
) -> dict[str, np.ndarray]:
    """What a card says beside the likelihood, for each example, in nats except for `evaluations`.

    Where the true density p of the data is known, `kl_divergence`: log p(x) - log q(x), whose mean is KL(p || q). Of
    continuous flows, `evaluations`: how often the velocities were computed to score it. For integer data what the
    preset's published numbers are in: `log_likelihood_unit`, log of the density of u = (x + noise) / 2^bits in
    [0, 1]^D, as in NICE, and `log_likelihood_logit`, that of logit(alpha + (1 - 2 alpha) u) with the flow's own alpha,
    as in the paper on MAF.

    Args:
        preset: for the data set and what is published.
        flow: the flow q.
        x: examples in native units.
        condition: theirs, if the flow takes one.
        values: (n,) the likelihoods of x as `preset.likelihood` states them.
        seed: of the noise with which `values` were measured, one draw.

    Raises:
        PresetError: a published number is in logit space, and the flow does not begin with a logit.
    """
    parts = [slice(start, start + _ROWS) for start in range(0, len(x), _ROWS)]
    batches = [(x[part], None if condition is None else condition[part]) for part in parts]
    found, wanted = {}, {entry["metric"] for entry in preset.published}
    target, bits = density(preset.dataset["name"]), preset.dataset["bits"]
    if target is not None:
        found[KL] = target.log_prob(x) - values
    if isinstance(flow, ContinuousFlow):
        found[EVALUATIONS] = np.concatenate([flow.solve_counts(*batch, seed) for batch in batches])
    if bits and wanted & {UNIT, LOGIT}:
        found[UNIT] = flow.dims * math.log(2.0) * (bits - values)
    if bits and LOGIT in wanted:
        found[LOGIT] = found[UNIT] - _logit_log_det(preset, flow, batches, seed)
    return found


def _logit_log_det(preset, flow, batches, seed):
    logit = next((part for part in flow.raw.parts if not part.draws), None)
    if not isinstance(logit, Logit):
        raise PresetError(f"{preset.source}: `published` has {LOGIT}, but the flow does not begin with a logit.")

    @tf.function
    def log_det(x, condition):
        condition = flow.raw.features(condition)
        return logit.encode(flow.raw.dequantized(x, condition, flow.raw.as_seed(seed)))[1]

    return np.concatenate([log_det(*batch).numpy() for batch in batches])
