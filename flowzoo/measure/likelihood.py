"""Measure a flow on a split: its mean likelihood with its standard error and its convention."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from flowzoo import data
from flowzoo.core.progress import bar
from flowzoo.models.flow import Flow
from flowzoo.record.convention import stated


def unit(flow: Flow) -> str:
    """What `losses` are in: "bits_per_dim" for integer data, else "nats" per example."""
    return stated(flow.bits).loss


def losses(
    flow: Flow,
    x: np.ndarray,
    condition: np.ndarray | None = None,
    *,
    seed: int = 0,
    samples: int = 1,
    batch_size: int = 128,
    progress: bool = False,
) -> np.ndarray:
    """-log p(x) of each example in `unit(flow)`, (n,) float64.

    The arguments are those of `Flow.score`, and whether to show a progress bar (on stderr, if it is a terminal).
    """
    parts, size = [], 4 * batch_size if progress else max(len(x), 1)
    with bar(len(x), "scoring", shown=progress) as done:
        for rows in (slice(start, start + size) for start in range(0, max(len(x), 1), size)):
            given = None if condition is None else condition[rows]
            parts.append(flow.score(x[rows], given, seed=seed, samples=samples, batch_size=batch_size))
            done.update(len(parts[-1]))
    nats = -np.concatenate(parts).astype(np.float64)
    return nats / (flow.dims * math.log(2.0)) if flow.bits else nats


def arrays(
    dataset: Mapping[str, Any], split: str, limit: int | None = None, data_dir: str | os.PathLike | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The first `limit` examples of a split in their own order: x, and the labels or None.

    Args:
        dataset: the `dataset` part of a preset: name, bits, labels.
        split: "train", "validation", "test" or another of the data set's.
        limit: how many; None for all.
        data_dir: as in `flowzoo.data.load`.
    """
    labels = dataset["labels"]
    stream = data.load(dataset["name"], split, batch_size=500, bits=dataset["bits"], labels=labels, data_dir=data_dir)
    if limit is not None:
        stream = stream.take(-(-limit // 500))
    parts = list(stream.as_numpy_iterator())
    columns = [np.concatenate(column)[:limit] for column in (zip(*parts, strict=True) if labels else [parts])]
    return columns[0], columns[1] if labels else None


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
    """Measures the mean likelihood over a split, as `flowzoo.record.convention.stated` tells it.

    Args:
        flow: the model.
        dataset: the `dataset` part of a preset: name, bits, labels.
        split: "train", "validation", "test" or another of the data set's.
        seed: of the noise; no effect for exact flows.
        draws: noise draws per example; more than 1 gives the importance-weighted bound.
        limit: only the first so many examples.
        batch_size: examples per call; no effect on the numbers.
        data_dir: as in `flowzoo.data.load`.
        progress: as in `losses`.

    Returns:
        metric ("bits_per_dim", or "log_likelihood" in nats), value, standard_error (over examples), kind, draws, seed,
        split, examples, non_finite (how many examples have no finite value), bits.
    """
    x, condition = arrays(dataset, split, limit, data_dir)
    measure = stated(flow.bits)
    values = losses(flow, x, condition, batch_size=batch_size, seed=seed, samples=draws, progress=progress)
    values = measure.sign * values
    count = len(values)
    return {
        "metric": measure.metric,
        "value": float(values.mean()),
        "standard_error": float(values.std(ddof=1) / math.sqrt(count)) if count > 1 else None,
        "kind": flow.kind,
        "draws": draws,
        "seed": seed,
        "split": split,
        "examples": count,
        "non_finite": int(np.count_nonzero(~np.isfinite(values))),
        "bits": flow.bits,
    }
