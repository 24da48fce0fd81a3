"""The likelihood: bits/dim of integers, lower is better; nats of real numbers and of binary data, higher is better."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowzoo.core.space import in_nats
from flowzoo.measure.examples import arrays
from flowzoo.measure.losses import losses
from flowzoo.measure.measured import Measured
from flowzoo.measure.measurement import Measurement

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from flowzoo.measure.subject import Subject
    from flowzoo.models.flow import Flow
    from flowzoo.record.preset import Preset

TEST = "test"  # the split that cards state it on


class Likelihood(Measurement):
    """The mean of `sign` times what training lowers.

    Attributes:
        sign: 1 or -1.
        split: what it is measured on.
    """

    sign, split = 1, TEST

    def applies(self, subject: Subject) -> bool:
        return self.leads(subject.preset) and self.split in subject.splits

    def measure(self, subject: Subject) -> Measured:
        return Measured.mean(self.sign * subject.losses(self.split), **subject.protocol(self.split))

    def validates(self, preset: Preset) -> bool:
        return self.leads(preset) and self.split == TEST

    def evaluate(self, flow: Flow, dataset: Mapping[str, Any], split: str = TEST, **how: Any) -> dict[str, Any]:
        return evaluate(flow, dataset, split, **how)

    def losses(self, flow: Flow, x: np.ndarray, condition: np.ndarray | None = None) -> np.ndarray:
        return losses(flow, x, condition)


class BitsPerDim(Likelihood):
    name, unit, tolerance = "bits_per_dim", "bits/dim", 1e-3
    column, column_unit = name, unit
    meaning = "bits/dim is -log2 p(x) / D with x in its native integers; lower is better."

    def leads(self, preset: Preset) -> bool:
        return not in_nats(preset.depth)

    def traced_losses(self, flow: Flow, x: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return flow.bits_per_dim(x, condition)


class LogLikelihood(Likelihood):
    name, unit, tolerance, lower_is_better = "log_likelihood", "nats", 1e-2, False
    column, column_unit, sign = "nats", "nats per example", -1
    meaning = "log_likelihood, of continuous and binary data, is log p(x) in nats per example; higher is better."

    def leads(self, preset: Preset) -> bool:
        return in_nats(preset.depth)

    def traced_losses(self, flow: Flow, x: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return -flow.log_prob(x, condition)


def of(bits: int) -> type[Likelihood]:
    """How the likelihood of data with this many bits is stated; 0 for real numbers.

    >>> of(8).name, of(1).name, of(0).name
    ('bits_per_dim', 'log_likelihood', 'log_likelihood')
    """
    return LogLikelihood if in_nats(bits) else BitsPerDim


def unit(flow: Flow) -> str:
    """What `losses` are in: "bits_per_dim", or "nats" per example."""
    return of(flow.x_space.depth).column


def evaluate(
    flow: Flow,
    dataset: Mapping[str, Any],
    split: str = "test",
    *,
    seed: int = 0,
    draws: int = 1,
    limit: int | None = None,
    batch_size: int = 128,
    data_dir: str | os.PathLike | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Measures the mean likelihood over a split, as `of` states it.

    Args:
        flow: the model.
        dataset: the `dataset` part of a preset: name, bits, labels.
        split: "train", "validation", "test" or another of the data set's.
        seed: of the noise; no effect for exact flows.
        draws: noise draws per example; more than 1 gives the importance-weighted bound.
        limit: the first `limit` examples only.
        batch_size: examples per call; no effect on the numbers.
        data_dir: as in `flowzoo.data.load`.
        progress: as in `losses`.

    Returns:
        metric ("bits_per_dim", or "log_likelihood" in nats), value, standard_error (over examples), kind, draws, seed,
        split, examples, non_finite (how many examples have no finite value), bits.
    """
    import numpy as np

    x, condition = arrays(dataset, split, limit, data_dir)
    stated = of(flow.x_space.depth)
    values = losses(flow, x, condition, batch_size=batch_size, seed=seed, samples=draws, progress=progress)
    found = Measured.mean(stated.sign * values)
    return {
        "metric": stated.name,
        "value": found.value,
        "standard_error": found.standard_error,
        "kind": flow.kind,
        "draws": draws,
        "seed": seed,
        "split": split,
        "examples": len(values),
        "non_finite": int(np.count_nonzero(~np.isfinite(values))),
        "bits": flow.x_space.depth,
    }
