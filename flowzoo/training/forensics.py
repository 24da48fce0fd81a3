"""Forensics: where a training step first gave what is not finite, and for which batch.

The step stops in the graph before the optimizer changes anything, so the weights are still those that failed. A second,
eager pass over the same batch with the same noise then watches every transform, some rows at a time: the noise is a
function of each row's content and the loss a mean over rows, so this gives what the whole batch would.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flowzoo.core import files
from flowzoo.core.context import Context
from flowzoo.core.errors import NonFiniteError
from flowzoo.core.transform import Transform
from flowzoo.models.flow import Flow
from flowzoo.models.layers import layers, wrapped
from flowzoo.training.callbacks import NonFiniteLoss
from flowzoo.training.progress import Progress
from flowzoo.training.sources import Sources

FOLDER = "nonfinite"
ROWS = 8  # examined at once: the training may have needed all memory for its batch, and saved some of it


@dataclasses.dataclass(frozen=True)
class Finding:
    """What the second pass saw.

    Attributes:
        loss: of the batch, as `fit` has it.
        transform: path and class of the first transform that gave a value that is not finite, or "base"; None if all
            was finite this time.
        direction: "encode" or "decode", which was called, or "backward of" it.
        what: "value", "log_det", "log_prob" (of the base), "gradient of" a weight, or "gradient of its input".
        rows: the examples of the batch with such values; for a weight those that were examined together.
        weights: paths of the weights that were not finite before the step.
    """

    loss: float
    transform: str | None
    direction: str
    what: str
    rows: list[int]
    weights: list[str]

    def __str__(self) -> str:
        if self.transform is None:
            seen = f"a second, eager pass over the batch was finite (loss {self.loss:g})"
        else:
            seen = f"first not finite: {self.transform}, {self.direction}, {self.what}, {len(self.rows)} examples"
        return seen + (f"; weights that were not finite before: {', '.join(self.weights[:3])}" if self.weights else "")


def examine(flow: Flow, x: Any, condition: Any, step: int) -> Finding:
    """The step once more, watched.

    Args:
        flow: compiled, with the weights before the step; of no use for training afterwards.
        x: the batch, as `fit` took it.
        condition: its condition, or None.
        step: which optimizer step, from 1: the noise is a function of it.
    """
    flow.xla, flow.backprop = False, "store"
    flow.optimizer.iterations.assign(step - 1)
    weights = [name for weight, name in _weight_names(flow).values() if not np.isfinite(weight.numpy()).all()]
    loss, found = _pass(flow, x, condition, back=False)
    found = found or _pass(flow, x, condition, back=True)[1]
    if not found:
        return Finding(loss, None, "", "", [], weights)
    first = min(found, key=lambda bad: bad.place)
    rows = [row for bad in found if bad.place == first.place for row in bad.rows]
    return Finding(loss, first.transform, first.direction, first.what, rows, weights)


@contextlib.contextmanager
def explaining(flow: Flow, sources: Sources, progress: Progress, workdir: Path, chief: bool) -> Iterator[None]:
    """Around `fit`: raises `NonFiniteLoss` with a `report` by the chief where `fit` has stopped."""
    try:
        yield
    except NonFiniteLoss:
        raise
    except NonFiniteError:
        step, what, found = progress.step + 1, "The loss or a gradient is not finite", ""
        if chief:
            batch = next(iter(sources.batches(progress.step)))
            x, condition = batch if isinstance(batch, tuple) else (batch, None)
            what, found = report(flow, x, condition, step, flow.noise_seed, workdir)
        raise NonFiniteLoss(step, what, found) from None


def report(flow: Flow, x: Any, condition: Any, step: int, seed: int, workdir: Path) -> tuple[str, str]:
    """Examines the step and writes `workdir/nonfinite/step-<step>.npz` (x, condition, step, seed) and `.json`.

    Returns:
        For the error: what is not finite; and where it came from, and where the files are.
    """
    path, content = workdir / FOLDER / f"step-{step:09d}.npz", io.BytesIO()
    given = {} if condition is None else {"condition": np.asarray(condition)}
    np.savez(content, x=np.asarray(x), step=step, seed=seed, **given)
    files.write_atomic(path, content.getvalue())
    try:
        found = examine(flow, x, condition, step)
    except (tf.errors.OpError, MemoryError) as error:  # the batch is saved; the reason has to be found by hand
        return "The loss or a gradient is not finite", f"the second pass failed ({error}). Batch: {path}"
    facts = {"step": step, "seed": seed, "batch": path.name} | dataclasses.asdict(found)
    facts["loss"] = str(found.loss)  # JSON has no NaN
    files.write_atomic(path.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
    what = "A gradient is not finite" if np.isfinite(found.loss) else f"The loss is {found.loss}"
    return what, f"{found}. Batch and report: {path} and {path.stem}.json"


@dataclasses.dataclass(frozen=True)
class _Call:
    order: int
    name: str
    direction: str
    given: tf.Tensor
    results: tuple[tuple[str, tf.Tensor], ...]
    weights: list[keras.Variable]


@dataclasses.dataclass(frozen=True)
class _Bad:
    place: tuple[int, int]  # where in a pass; the same for all rows
    transform: str
    direction: str
    what: str
    rows: list[int]


def _pass(flow: Flow, x: Any, condition: Any, back: bool) -> tuple[float, list[_Bad]]:
    """The batch's loss, and of each `ROWS` rows the first that is not finite; `back` looks at gradients instead."""
    loss, found = 0.0, []
    for start in range(0, len(x), ROWS):
        part, given = x[start : start + ROWS], flow.condition.rows(condition, slice(start, start + ROWS))
        tape = tf.GradientTape() if back else None
        with tape or contextlib.nullcontext(), _watched(flow, tape) as calls:
            log_prob = -flow.objective(part, given, Context(training=True))
            of_part = flow.compute_loss(part, log_prob, log_prob) * (len(part) / len(x))
        loss += float(of_part)
        bad = next(_backward(calls, tape, of_part, _weight_names(flow)) if back else _forward(calls), None)
        found += [dataclasses.replace(bad, rows=[start + row for row in bad.rows])] if bad else []
    return loss, found


@contextlib.contextmanager
def _watched(flow: Flow, tape: tf.GradientTape | None) -> Iterator[list[_Call]]:
    """Notes the calls of every transform and of the base, in the order in which they return: inner ones first."""
    calls, order = [], itertools.count()

    def watch(layer, name, direction, labels):
        def wrap(call):
            def noted(given, *args, **kwargs):
                place, given = next(order), tf.convert_to_tensor(given)
                if tape and given.dtype.is_floating:
                    tape.watch(given)
                results = call(given, *args, **kwargs)
                parts = zip(labels, results if isinstance(results, tuple) else (results,), strict=True)
                calls.append(_Call(place, name, direction, given, tuple(parts), layer.trainable_weights))
                return results

            return noted

        return layer, direction, wrap

    inner = [(path, layer) for path, layer in layers(flow.transform) if isinstance(layer, Transform)]
    watches = [
        watch(transform, f"{path} {type(transform).__name__}", direction, ("value", "log_det"))
        for path, transform in [("transform", flow.transform), *inner]
        for direction in ("encode", "decode")
    ]
    watches.append(watch(flow.base, f"base {type(flow.base).__name__}", "log_prob", ("log_prob",)))
    with wrapped(watches):
        yield calls


def _weight_names(flow: Flow) -> dict[int, tuple[keras.Variable, str]]:
    """The path of each weight by its id; Keras' own paths begin with counters of the process."""
    places = [("transform", flow.transform), ("base", flow.base), *layers(flow.transform)]
    return {id(weight): (weight, f"{path}/{weight.name}") for path, layer in places for weight in layer.weights}


def _forward(calls: list[_Call]) -> Iterator[_Bad]:
    for i, call in enumerate(calls):
        for j, (what, value) in enumerate(call.results):
            if rows := _bad_rows(value):
                yield _Bad((i, j), call.name, call.direction, what, rows)


def _backward(
    calls: list[_Call], tape: tf.GradientTape, loss: tf.Tensor, names: dict[int, tuple[keras.Variable, str]]
) -> Iterator[_Bad]:
    """From the loss back to the data: the calls whose weights or input have a gradient that is not finite."""
    calls = sorted(calls, key=lambda call: -call.order)  # those inside a chain before the chain
    sources = [call.weights + [call.given] * call.given.dtype.is_floating for call in calls]
    for i, (call, gradients) in enumerate(zip(calls, tape.gradient(loss, sources), strict=True)):
        for j, (source, gradient) in enumerate(zip(sources[i], gradients, strict=True)):
            if gradient is not None and not np.isfinite(gradient.numpy()).all():
                weight = source is not call.given
                what = f"gradient of {names[id(source)][1]}" if weight else "gradient of its input"
                rows = list(range(len(call.given))) if weight else _bad_rows(gradient)
                yield _Bad((i, j), call.name, f"backward of {call.direction}", what, rows)


def _bad_rows(values: tf.Tensor) -> list[int]:
    if not values.dtype.is_floating:
        return []
    finite = np.isfinite(values.numpy()).reshape(len(values), -1).all(axis=1)
    return np.flatnonzero(~finite).tolist()
