"""Speed of public calls beside FlowJAX, zuko and normflows: python benchmarks/all.py --quick writes docs/benchmarks.md.

Each library is a process of its own. They are asked in turn, call by call, in several rounds, so that the machine's
mood falls on all alike; a ratio is taken within a round. `protocol.py` says what is timed and what is demanded. Without
`--quick` there are nine rounds, and the private functions as well. The peers are an extra: pip install -e ".[bench]".
"""

import contextlib
import os
import statistics
import sys
import time

import apart
import report
from absl import app, flags
from libraries import HERE, OURS, Libraries
from protocol import BATCHES, FIRST_STEPS, LOAD, PEERS, PRIVATE, ROWS, can_time

QUICK = flags.DEFINE_bool("quick", False, "The public calls only, in as many rounds as 15 minutes hold.")
ROUNDS = flags.DEFINE_integer("rounds", 9, "Rounds at most.", lower_bound=1)
TABLES = flags.DEFINE_multi_enum("table", None, ["public", "private"], "Which; public with --quick, else both.")
MODELS = flags.DEFINE_list("models", list(PEERS), "Models; the page is written only with all of them.")
SECONDS = flags.DEFINE_float("seconds", 0.4, "Of each call at least, in each round.")
MINUTES = 14.5  # of a quick run
SLOW = 30.0  # seconds of a row with all libraries, in the first round, above which a quick run has no other of it


def once(script, *given):
    """The result of another script of this folder, in a list; without one, which is printed, an empty list."""
    with apart.Process(HERE / script, f"--child={' '.join(map(str, given))}") as process:
        try:
            return [process.result()]
        except apart.Failed as problem:  # the other rows are not lost
            print(f"{script} {' '.join(map(str, given))}: {problem}", file=sys.stderr, flush=True)
            return []


def rounds(start):
    """Their numbers, from 0; the last one ends in time, if they are equally long and the first takes twice as long."""
    began = start
    for number in range(ROUNDS.value):
        yield number
        now = time.time()
        next_one = (now - began) / (1 if number else 2)
        if QUICK.value and now + next_one > start + 60 * MINUTES:
            return
        began = now


def public(libraries, start, whole):
    """The table of the public calls; `whole` with what takes a process for each number."""
    rows = [row for row in ROWS if row.model in MODELS.value]
    timed = [row for row in rows if can_time(row.model)]
    again = [row for row in timed if row.call != "first step"]
    first, loads = {steps: [] for steps in FIRST_STEPS}, []
    for number in rounds(start):
        for row in list(again) if number else timed:
            names, asked = [OURS, *PEERS[row.model]], time.time()
            libraries.ask(row.model, row.call, row.size, names[::-1] if number % 2 else names)
            if QUICK.value and row in again and time.time() - asked > SLOW:
                again.remove(row)
        for steps, found in first.items() if whole else ():
            if steps == min(first) or not number:  # a deep one takes a minute
                found += [result["first"] for result in once("first_step.py", steps, "Adam")]
        if whole:
            loads += once("loading.py", LOAD[0], time.time())
    lines = [report.public_line(libraries, row) for row in rows]
    for steps, found in first.items() if whole else ():
        lines.append(report.seconds_line("`glow`", f"first step, K = {steps}", found, FIRST_STEPS[steps]))
    if whole:
        parts = ("import", "load", "sample")
        each = ", ".join(f"{part} {statistics.median(load[part] for load in loads):.1f}" for part in parts if loads)
        what = f"import, load, first sample; s: {each}"
        lines.append(report.seconds_line(f"`{LOAD[0]}`", what, [load["all"] for load in loads], LOAD[1]))
    return report.public(lines)


def private(libraries, start):
    """The table of the private functions of vector flows."""
    models = [model for model in MODELS.value if "FlowJAX" in PEERS[model]]
    size = BATCHES[models[0]]
    for _ in rounds(start):
        for model in models:
            for what, ways in PRIVATE.items():
                libraries.ask(model, what, size, ["FlowJAX"])
                for way in ways:
                    libraries.ask(model, f"{what}, {way}", size, [OURS])
    return report.private(libraries, models, size)


def main(argv):
    start, load = time.time(), os.getloadavg()[0]
    whole = MODELS.value == list(PEERS)
    for name in TABLES.value or (["public"] if QUICK.value else ["public", "private"]):
        with contextlib.ExitStack() as stack:
            libraries = Libraries(MODELS.value, SECONDS.value, stack)
            made = public(libraries, start, whole) if name == "public" else private(libraries, start)
        text = report.circumstances(libraries.rounds, load) + made
        print(text)
        if whole:
            report.write(name, text)
    print(f"{(time.time() - start) / 60:.1f} minutes")


if __name__ == "__main__":
    app.run(main)
