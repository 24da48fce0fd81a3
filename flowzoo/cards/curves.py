"""The history of trainings as curves: likelihood and learning rate against steps and hours."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flowzoo.core.files import irregular, write_figure
from flowzoo.measure.registry import column_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

History = Mapping[str, list[float]]  # column -> one number for each validation; hours beside seconds

VALIDATION = "validation_"  # begins the column of what is measured in training; `measure.registry` knows the rest
STYLES = {"validation": "-", "validation, averaged weights": "--", "training": ":"}
KEPT = 0.9  # share of a training's values that the vertical axis shows at least; the first ones are far off


def read_history(path: str | os.PathLike) -> History:
    """The columns of a `history.csv`, as a training leaves it, even while it runs.

    Raises:
        ValueError: it is not such a file, or it has no validation yet.
    """
    if wrong := irregular(path):
        raise ValueError(f"{path}: expected a history.csv of a training, it {wrong}.")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError(f"{path}: expected a history.csv with at least one validation, got none yet.")
    try:
        history = {key: [float(row[key]) for row in rows] for key in rows[0]}
        return history | {"hours": [seconds / 3600 for seconds in history["seconds"]]}
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: expected a history.csv of a training, it does not read as one: {error}.") from error


def unit(history: History) -> str:
    """What is measured in validations: the name of its column."""
    columns = (key.removeprefix(VALIDATION) for key in history if key.startswith(VALIDATION))
    return next(name for name in columns if not name.endswith("_ema"))


def write_curves(histories: Mapping[str, History], path: str | os.PathLike) -> None:
    """Draws the curves of one or several trainings into a PNG, all or nothing.

    Args:
        histories: name -> history; all in the same unit.
        path: the file.

    Raises:
        ValueError: the histories are in different units.
    """
    found = {name: column_unit(unit(history)) for name, history in histories.items()}
    if len(set(found.values())) > 1:
        raise ValueError(f"trainings drawn together must be in one unit, got {found}. Draw them apart.")
    write_figure(path, _figure(histories), dpi=130)


def _figure(histories: Mapping[str, History]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    kind = unit(next(iter(histories.values())))
    apart = not any(kind in history for history in histories.values())  # the loss is in a unit of its own
    heights = [3.0, 1.3, 1.0] if apart else [3.0, 1.0]
    figure = Figure(figsize=(12, 1.6 * sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(heights), 2, sharex="col", sharey="row", height_ratios=heights)
    for column, along in zip(axes.T, ("step", "hours"), strict=True):
        for index, history in enumerate(histories.values()):
            _draw(column, history, along, f"C{index}", kind)
        column[-1].set_xlabel("step" if along == "step" else "wall time (hours)")
    top, bottom = axes[0], axes[-1]
    top[0].set_ylabel(column_unit(kind))
    if apart:
        axes[1][0].set_ylabel("training loss\n(per dimension)")
    bottom[0].set_ylabel("learning rate")
    bottom[0].ticklabel_format(axis="y", style="sci", scilimits=(0, 0), useMathText=True)
    top[0].set_ylim(_limits(histories, kind))
    top[0].legend(handles=_legend(histories, kind), fontsize=9)
    axes[-1][0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1][0].xaxis.set_major_formatter("{x:,.0f}")
    for axis in axes.flat:
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xlim(left=0)
    return figure


def _draw(axes: Sequence[Axes], history: History, along: str, colour: str, kind: str) -> None:
    x, marker = history[along], "." if len(history[along]) == 1 else None
    columns = _columns(kind, history)
    for label, key in columns.items():
        if key in history and key != "loss":
            axes[0].plot(x, history[key], STYLES[label], color=colour, linewidth=1.4, marker=marker)
    if columns["training"] == "loss":
        axes[1].plot(x, history["loss"], STYLES["training"], color=colour, linewidth=1.4, marker=marker)
    axes[-1].plot(x, history["learning_rate"], color=colour, linewidth=1.4, marker=marker)
    both = [history.get(columns[label], []) for label in list(STYLES)[:2]]
    finite = [(value, index) for values in both for index, value in enumerate(values) if math.isfinite(value)]
    if finite:
        value, index = min(finite)
        axes[0].plot(x[index], value, "o", color=colour, markersize=6)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
        style = {"textcoords": "offset points", "color": colour, "fontsize": 9, "ha": "center", "bbox": box}
        axes[0].annotate(f"{value:.3f}", (x[index], value), (0, 9), **style)


def _columns(kind: str, history: History) -> dict[str, str]:
    """What each style shows -> the column of the history."""
    names = (f"{VALIDATION}{kind}", f"{VALIDATION}{kind}_ema", kind if kind in history else "loss")
    return dict(zip(STYLES, names, strict=True))


def _legend(histories: Mapping[str, History], kind: str) -> list[Line2D]:
    from matplotlib.lines import Line2D

    there = {label for h in histories.values() for label, key in _columns(kind, h).items() if key in h}
    runs = [Line2D([], [], color=f"C{index}", linewidth=4, label=name) for index, name in enumerate(histories)]
    styles = [Line2D([], [], color="0.3", linestyle=STYLES[label], label=label) for label in STYLES if label in there]
    return [*runs, *styles, Line2D([], [], color="0.3", marker="o", linestyle="", label="lowest validation")]


def _limits(histories: Mapping[str, History], kind: str) -> tuple[float, float]:
    """From the lowest value of all to the highest that `KEPT` asks for; averaged weights may come in from above."""
    lows, highs = [], []
    for history in histories.values():
        keys = [key for key in _columns(kind, history).values() if key in history and key != "loss"]
        values = {key: sorted(filter(math.isfinite, history[key])) for key in keys}
        lows += [column[0] for column in values.values() if column]
        highs += [
            column[math.ceil(KEPT * len(column)) - 1] for key, column in values.items() if column and "_ema" not in key
        ]
    if not highs:
        return 0.0, 1.0
    margin = 0.05 * (max(highs) - min(lows)) or 0.05 * abs(max(highs)) or 0.05
    return min(lows) - margin, max(highs) + margin
