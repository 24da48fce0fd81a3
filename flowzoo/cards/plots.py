"""A flow as an image: density and samples of a plane, a grid of images, or a pair plot of the features of a table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from flowzoo.bijectors import Continuous
from flowzoo.core import random
from flowzoo.core.context import Context
from flowzoo.core.files import write_figure
from flowzoo.data.computed_conditions import synthetic
from flowzoo.data.energies import SIDE, Density
from flowzoo.modalities.registry import modality_of
from flowzoo.models.flow import Flow
from flowzoo.training.drawings import columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 5000  # samples of vectors in a figure, if nothing else is asked for
FEATURES = 5  # of a table, from the first on
GRID = 200  # points on each axis at which a density is evaluated
BINS = 40
TAIL = 0.001  # share of the samples that an axis leaves out at either end
DPI = 100


def usual_count(flow: Flow) -> int:
    """How many samples `write_plot` draws by default."""
    return modality_of(flow.x_space).shown or POINTS


def is_plane(flow: Flow) -> bool:
    """Whether examples are points of a plane, which have a density to be looked at."""
    return flow.x_space.shape == (2,) and not flow.x_space.values


def write_plot(
    flow: Flow,
    path: str | os.PathLike,
    *,
    count: int | None = None,
    label: int | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    target: Density | None = None,
) -> None:
    """Draws a flow into a PNG, all or nothing; no figure shows data.

    Args:
        flow: of images: a grid of samples; of audio: the spectrogram of samples one after the other; of 2-D vectors:
            the density (at T = 1) beside samples; of anything else: a pair plot of the first features of samples.
        path: the file.
        count: samples; `usual_count` if not given.
        label: the class, for a class-conditional flow; by default all classes in turn.
        temperature: of the samples.
        seed: of the samples.
        target: the true density of 2-D vectors, drawn as a third panel.

    Raises:
        ValueError: the flow does not take these arguments, or no sample is finite.
    """
    samples, kind = drawn(flow, count, label=label, temperature=temperature, seed=seed), modality_of(flow.x_space)
    count = len(samples)
    if kind.shown:
        kind.draw(path, samples, flow.x_space, columns(flow) if label is None and flow.condition.labels else None)
        return
    labels, samples = _labels(flow, label), samples.reshape(count, -1)
    samples = samples[np.isfinite(samples).all(axis=1)]
    if not len(samples):
        raise ValueError(f"a plot needs finite samples, got none among {count}. `flowzoo.diagnose` says where to look.")
    title = f"{count:,} samples" + (f", T = {temperature:g}" if temperature != 1 else "")
    figure = _plane(flow, labels, samples, title, target) if is_plane(flow) else _pairs(samples, title)
    write_figure(path, figure, DPI)


def write_trajectories(
    flow: Flow,
    path: str | os.PathLike,
    *,
    count: int = 200,
    label: int | None = None,
    temperature: float = 1.0,
    seed: int = 0,
) -> None:
    """Draws the paths of samples of a continuous flow of a plane, from data to latent, into a PNG, all or nothing.

    Args:
        flow: of 2-D vectors; of an augmented one the first two dimensions are drawn.
        path: the file.
        count: how many paths.
        label: the class, for a class-conditional flow; by default all classes in turn.
        temperature: of the samples.
        seed: of the samples.

    Raises:
        ValueError: the flow is not continuous, or not of a plane.
    """
    parts = flow.raw.parts
    if not is_plane(flow) or not any(isinstance(part, Continuous) for part in parts):
        raise ValueError("trajectories need a continuous flow of 2-D vectors, got another flow.")
    condition = _condition(flow, label, count)
    y, context = flow.sample(count, condition, temperature, seed), Context(random.row_seeds(seed, count))
    condition, paths = flow.raw.features(condition), [y.numpy()[None]]
    for part in parts:
        if isinstance(part, Continuous):
            points = tf.function(part.path, autograph=False)(y, condition).numpy()
            y = points[-1]
        else:
            y = part.encode(y, condition, context)[0]
            points = y.numpy()[None]
        paths.append(points[..., :2])
    paths = np.concatenate(paths)

    figure = _figure(4.5, 4.5)
    axes = figure.subplots()
    axes.plot(paths[..., 0], paths[..., 1], color="0.6", linewidth=0.5)
    for place, name, color in ((paths[0], "data", "C0"), (paths[-1], "latent", "C3")):
        axes.plot(*place.T, ".", color=color, markersize=3, label=name)
    axes.legend(fontsize=8)
    axes.set_title(f"{count} paths from data to latent", fontsize=10)
    axes.set_aspect("equal")
    write_figure(path, figure, DPI)


def drawn(
    flow: Flow, count: int | None = None, *, label: int | None = None, temperature: float = 1.0, seed: int = 0
) -> np.ndarray:
    """The samples that `write_plot` draws, with the same arguments: (count, *event_shape).

    What a condition is computed from is then synthetic, such as an artificial voice.
    """
    count = count or usual_count(flow)
    condition = _condition(flow, label, count)
    return flow.sample(count, condition, temperature=temperature, seed=seed, batch_size=min(count, 1000)).numpy()


def _labels(flow, label):
    """The classes to show; none of a flow without."""
    return range(flow.condition.labels) if label is None else [label]


def _condition(flow, label, count):
    """Of `count` samples: of one class, or what there is in turn."""
    return synthetic(flow.condition, flow.x_space, count) if label is None else np.full(count, label, np.int32)


def _plane(flow: Flow, labels, samples: np.ndarray, title: str, target: Density | None) -> Figure:
    left, bottom, right, top = (-SIDE, -SIDE, SIDE, SIDE) if target else np.ravel([_range(x) for x in samples.T], "F")
    across, up = (np.linspace(*ends, GRID, dtype=flow.compute_dtype) for ends in ((left, right), (bottom, top)))
    places = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    densities = {"density of the flow": _density(flow, labels, places)}
    if target:
        densities["true density"] = np.exp(target.log_prob(places))
    highest = list(densities.values())[-1].max()  # one scale for both

    figure = _figure(3.2 * (1 + len(densities)), 3.5)
    panels = figure.subplots(1, 1 + len(densities), sharex=True, sharey=True, squeeze=False)[0]
    panels[1].plot(*samples.T, ",", color="C0", alpha=0.7)
    panels[1].set_title(title, fontsize=10)
    for axes, (name, density) in zip(panels[::2], densities.items(), strict=True):
        image = density.reshape(GRID, GRID)
        extent, scale = (left, right, bottom, top), {"vmin": 0, "vmax": highest}
        axes.imshow(image, origin="lower", extent=extent, aspect="auto", cmap="viridis", **scale)
        axes.set_title(name, fontsize=10)
    for axes in panels:
        axes.set(xlim=(left, right), ylim=(bottom, top), box_aspect=1)
    return figure


def _density(flow: Flow, labels, places: np.ndarray) -> np.ndarray:
    """p at (n, 2) places, (n,); with several classes their mean."""
    given = [_condition(flow, label, len(places)) for label in labels or [None]]
    return np.mean([np.exp(flow.score(places, one, batch_size=1000).astype(np.float64)) for one in given], axis=0)


def _pairs(samples: np.ndarray, title: str) -> Figure:
    size = min(FEATURES, samples.shape[1])
    figure = _figure(1.5 * size + 0.5, 1.5 * size + 0.5)
    figure.suptitle(title + (f", features 1 to {size} of {samples.shape[1]}" if size < samples.shape[1] else ""))
    ranges = [_range(samples[:, i]) for i in range(size)]
    for row, line in enumerate(figure.subplots(size, size, sharex="col", squeeze=False)):
        for column, axes in enumerate(line):
            axes.set_xlim(ranges[column])
            axes.tick_params(labelsize=6, labelleft=column == 0 and row > 0)
            if row == column:
                axes.hist(samples[:, row], bins=BINS, range=ranges[row])
                axes.set_yticks([])
            elif row < column:
                axes.set_axis_off()  # the same as below the diagonal
            else:
                _histogram(axes, samples[:, column], samples[:, row], ranges[column], ranges[row])
    return figure


def _histogram(axes: Axes, x: np.ndarray, y: np.ndarray, across: tuple, up: tuple) -> None:
    counts = np.histogram2d(y, x, BINS, (up, across))[0]
    extent = (*across, *up)
    shown = np.sqrt(counts)  # so that tails are visible
    axes.imshow(shown, origin="lower", extent=extent, aspect="auto", interpolation="nearest", cmap="viridis")
    axes.set_ylim(up)


def _range(x: np.ndarray) -> tuple[float, float]:
    """From the lowest to the highest value, without a few outliers; never empty."""
    low, high = np.quantile(x.astype(np.float64), (TAIL, 1 - TAIL))
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
