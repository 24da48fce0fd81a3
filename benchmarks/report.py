"""Tables of ratios and targets, and the page that holds them."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

from libraries import OURS, Libraries
from protocol import PEERS, PRIVATE, Row

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- {} calls, written by benchmarks/all.py -->\n", "<!-- end of {} calls -->\n"
PACKAGES = ("tensorflow", "flowjax", "jax", "zuko", "normflows", "torch")
UNKNOWN = "not timed"
PUBLIC = ("model", "call", "times FlowJAX", "times zuko, normflows", "target", "met", "flowzoo")


@dataclasses.dataclass(frozen=True)
class Spread:
    """The median of some rounds, the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.3g}" + (f" ({self.least:.3g} to {self.most:.3g})" if self.least < self.most else "")


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, ["---"] * len(head), *lines))


def faster(pairs: Sequence[tuple[float, float]]) -> Spread | None:
    """How many times as fast as a peer, of our seconds and its."""
    return Spread.of([theirs / ours for ours, theirs in pairs]) if pairs else None


def public_line(libraries: Libraries, row: Row) -> list[str]:
    """A public call as a line of the table `PUBLIC`."""
    own = libraries.seconds.get((OURS, row.model, row.call, row.size))
    ratios = {peer: faster(libraries.pairs(peer, row.model, row.call, row.size)) for peer in PEERS[row.model]}
    known = {peer: ratio for peer, ratio in ratios.items() if ratio}
    target = met = ""
    if row.target:
        target = f"{row.target:g} x {row.beside or 'the fastest'}"
        judged = [ratio.median for peer, ratio in known.items() if row.beside in ("", peer)]
        met = _met(min(judged) >= row.target) if judged else UNKNOWN
    rate = ""
    if own:
        seconds, unit = statistics.median(own), "images" if row.model.startswith("glow") else "rows"
        rate = f"{seconds:.2f} s" if row.call == "first step" else f"{row.size / seconds:,.0f} {unit}/s"
    what = row.call if row.call in ("first step", "fit") else f"{row.call}, {row.size:,}"
    flowjax = known.pop("FlowJAX", "")
    others = next(iter(known.values()), "")
    return [f"`{row.model}`", what, str(flowjax), str(others), target, met, rate]


def seconds_line(model: str, what: str, runs: Sequence[float], limit: float) -> list[str]:
    """Seconds that are to stay below a limit, as a line of the table `PUBLIC`."""
    if not runs:
        return [model, what, "", "", f"{limit:g} s", UNKNOWN, ""]
    return [model, what, "", "", f"{limit:g} s", _met(statistics.median(runs) <= limit), f"{Spread.of(runs)} s"]


def public(lines: Sequence[Sequence[str]]) -> str:
    """The table of public calls, and how many targets are met."""
    met = [line[PUBLIC.index("met")] for line in lines]
    judged = [word for word in met if word]
    missing = f"; {judged.count(UNKNOWN)} not timed" if UNKNOWN in judged else ""
    return f"{judged.count('yes')} of {len(judged)} targets are met{missing}.\n\n{table(PUBLIC, lines)}"


def private(libraries: Libraries, models: Sequence[str], size: int) -> str:
    """The table of private functions, as multiples of the rate of FlowJAX's."""
    head, lines = ("model", "function", *PRIVATE["sample"]), []
    for model in models:
        for what, ways in PRIVATE.items():
            pairs = [libraries.pairs("FlowJAX", model, f"{what}, {way}", size, theirs=what) for way in ways]
            cells = [str(faster(each) or "") for each in pairs]
            lines.append([f"`{model}`", what, *cells, *[""] * (len(head) - 2 - len(cells))])
    return table(head, lines)


def circumstances(rounds: int, load: float) -> str:
    """What a table was measured with: the day, the machine, versions.

    Args:
      rounds: how many.
      load: average of the minute before.
    """
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    versions = ", ".join(f"{name} {version}" for name, version in found.items())
    machine = f"{os.cpu_count()} cores ({_processor()}), load {load:.1f} before, Python {platform.python_version()}"
    return f"{datetime.date.today()}, {rounds} rounds, {machine}, {versions}.\n\n"


def write(name: str, text: str) -> None:
    """Puts a text into its place on the page.

    Args:
      name: "public" or "private".
      text: Markdown.
    """
    begin, end = BEGIN.format(name), END.format(name)
    before, _, rest = PAGE.read_text().partition(begin)
    PAGE.write_text(before + begin + text + end + rest.partition(end)[2])


def _met(met):
    return "yes" if met else "**no**"


def _processor():
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
