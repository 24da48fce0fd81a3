"""How well a flow inverts, layer by layer (Behrmann et al. 2021, Understanding and mitigating exploding inverses)."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from flowzoo.bijectors import Invert
from flowzoo.core import random
from flowzoo.core.bars import bar
from flowzoo.core.files import png_path, write_figure
from flowzoo.core.transform import Transform
from flowzoo.models.flow import Flow
from flowzoo.models.layers import layers, wrapped

ITERATIONS = 8  # of the power method; its estimate comes from below


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """One layer on the inputs that the layers before it give.

    Attributes:
        name: path and class, such as "transforms/2/levels/0/transforms/3 AffineCoupling".
        reconstruction_error: largest |decode(encode(x)) - x| of all entries; NaN if one is not finite.
        log_det_error: largest |log_det of encode + log_det of decode| in nats.
        encode_lipschitz, decode_lipschitz: largest local stretch of each direction, estimated by the power method.
        non_finite_rate: share of rows for which either direction gives what is not finite.
    """

    name: str
    reconstruction_error: float
    log_det_error: float
    encode_lipschitz: float
    decode_lipschitz: float
    non_finite_rate: float


@dataclasses.dataclass(frozen=True)
class Report:
    """What `diagnose` found.

    Attributes:
        layers: in the order of encode.
        whole: all layers together, where later ones may enlarge the errors of earlier ones.
    """

    layers: tuple[LayerReport, ...]
    whole: LayerReport

    @property
    def worst(self) -> LayerReport:
        """The layer with the largest reconstruction error; an error that is not finite counts as the largest."""
        errors = [layer.reconstruction_error for layer in self.layers]
        return self.layers[int(np.argmax(np.where(np.isfinite(errors), errors, np.inf)))]

    @property
    def finite(self) -> bool:
        """Whether every layer gave finite numbers for every row."""
        return not any(layer.non_finite_rate for layer in (*self.layers, self.whole))

    def as_dict(self) -> dict[str, Any]:
        """All numbers under their names, and the name of the worst layer."""
        return dataclasses.asdict(self) | {"worst": self.worst.name}

    def __str__(self) -> str:
        rows = [*self.layers, self.whole]
        width = max(len(row.name) for row in rows)
        lines = [f"{'layer':{width}}  {'|x - x again|':>14}{'log_det error':>15}{'Lip encode':>12}{'Lip decode':>12}"]
        for layer in rows:
            lines.append(
                f"{layer.name:{width}}  {layer.reconstruction_error:14.2e}{layer.log_det_error:15.2e}"
                f"{layer.encode_lipschitz:12.3g}{layer.decode_lipschitz:12.3g}"
                + (f"  {layer.non_finite_rate:.1%} not finite" if layer.non_finite_rate else "")
            )
        return "\n".join([*lines, f"worst: {self.worst.name}"])

    def plot(self, path: str | os.PathLike) -> Path:
        """Draws errors and stretches by layer into a .png, all or nothing; red lines mark what is not finite.

        Raises:
            ValueError: the path does not end in .png.
            OSError: it can't be written.
        """
        from matplotlib.figure import Figure

        path = png_path(path)
        figure = Figure(figsize=(8, 6), layout="constrained")
        errors, stretches = figure.subplots(2, sharex=True)
        place = range(1, len(self.layers) + 1)
        for axes, names in (
            (errors, ("reconstruction_error", "log_det_error")),
            (stretches, ("encode_lipschitz", "decode_lipschitz")),
        ):
            for name in names:
                axes.plot(place, [getattr(layer, name) for layer in self.layers], "o-", label=name.replace("_", " "))
            axes.set_yscale("log")
            axes.legend()
        for index, layer in zip(place, self.layers, strict=True):
            if layer is self.worst or layer.non_finite_rate:
                errors.axvline(index, color="tab:red" if layer.non_finite_rate else "0.7", zorder=0)
        errors.set_title(f"worst: {self.worst.name}")
        stretches.set_xlabel("layer, in the order of encode")
        write_figure(path, figure, dpi=100)
        return path


def diagnose(flow: Flow, x: Any, condition: Any = None, seed: int = 0, *, progress: bool = False) -> Report:
    """Looks at every layer of a flow: does it invert, are its log-determinants right, how far does it stretch?

    Runs eagerly, layer by layer: some 16 rows are enough. Try data, samples, and data unlike those it was trained on.

    Args:
        flow: the flow; it has at least one exact layer.
        x: (batch, *event_shape), in native units.
        condition: (batch,) labels or (batch, features), if the flow takes one.
        seed: of the dequantization noise and of the power method.
        progress: show a bar, on stderr, if it is a terminal.

    Returns:
        A `Report`: a table by `print`, `worst` names the worst layer, `plot(path)` draws it.

    Raises:
        ValueError, TypeError: x or the condition does not suit the flow, holds NaN or infinity, or there are no rows.

    Reference: Behrmann et al. 2021, Understanding and mitigating exploding inverses in invertible neural networks,
    arXiv:2006.09347.
    """
    if not isinstance(flow, Flow):
        raise TypeError(f"`flow` must be a Flow, such as `flowzoo.load(name)` gives, got {type(flow).__name__}.")
    x, condition = flow.intake.tensors(x, condition)
    if not len(x):
        raise ValueError("`x` must hold some examples, got none.")
    bijection, ready = flow.bijection, flow.raw.features(condition)
    y = flow.raw.dequantized(x, ready, flow.raw.as_seed(seed))
    with _noted(flow) as calls:
        encoded = bijection.encode(y, ready)
    if not calls:
        raise ValueError("The flow has no exact layer, whose inverse could be examined.")
    found = []
    with bar(len(calls) + 1, "layers", shown=progress) as done:
        for name, layer, given in calls:
            found.append(_examined(name, layer, given, layer.encode(given, ready), ready, seed))
            done.update()
        whole = _examined("all together", bijection, y, encoded, ready, seed)
    return Report(tuple(found), whole)


@contextlib.contextmanager
def _noted(flow: Flow) -> Iterator[list[tuple[str, Transform, tf.Tensor]]]:
    """The exact layers that encode calls, with their inputs."""
    calls = []

    def watch(name, transform):
        def wrap(encode):
            def noted(x, *args, **kwargs):
                calls.append((name, transform, tf.cast(x, transform.event_dtype)))
                return encode(x, *args, **kwargs)

            return noted

        return transform, "encode", wrap

    exact = [
        (path, layer)
        for path, layer in [("transform", flow.transform), *layers(flow.transform)]
        if isinstance(layer, Transform) and not layer.composite and not layer.draws and layer.kind == "exact"
    ]
    with wrapped([watch(f"{path} {_kind(layer)}", layer) for path, layer in exact]):
        yield calls


def _kind(layer):
    return f"Invert({_kind(layer.bijector)})" if isinstance(layer, Invert) else type(layer).__name__


def _examined(name, transform, x, encoded, condition, seed):
    """The report of a transform on x, which it encodes so."""
    z, log_det = encoded
    again, back = transform.decode(z, condition)
    finite = _finite(z) & _finite(again) & _finite(log_det[:, None]) & _finite(back[:, None])
    return LayerReport(
        name,
        _largest(again - x),
        _largest(log_det + back),
        _stretch(lambda x: transform.encode(x, condition)[0], x, seed),
        _stretch(lambda z: transform.decode(z, condition)[0], z, seed),
        float(1 - finite.mean()),
    )


def _stretch(function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, seed: int) -> float:
    """The largest singular value of the Jacobians of all rows, by the power method on J^T J."""
    shape = x.shape[1:]
    direction = _unit(tf.cast(random.normal(random.row_seeds(seed, len(x)), shape), x.dtype))
    for _ in range(ITERATIONS):
        with tf.GradientTape() as tape:
            tape.watch(x)
            with tf.autodiff.ForwardAccumulator(x, direction) as forward:
                y = function(x)
            pushed = forward.jvp(y)
            product = tf.reduce_sum(y * tf.stop_gradient(pushed))
        size = tf.norm(tf.reshape(pushed, [len(x), -1]), axis=1)
        direction = _unit(tape.gradient(product, x))
    return float(np.max(size.numpy()))


def _unit(rows):
    flat = tf.reshape(rows, [len(rows), -1])
    return tf.reshape(tf.math.divide_no_nan(flat, tf.norm(flat, axis=1, keepdims=True)), rows.shape)


def _largest(values) -> float:
    return float(np.max(np.abs(values), initial=0.0))


def _finite(rows):
    return np.isfinite(np.reshape(rows, [len(rows), -1])).all(axis=1)
