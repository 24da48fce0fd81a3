"""Resident memory that `score` adds to its rows, and that `load` takes: python benchmarks/resident.py (Linux).

Each figure is the peak of a process of its own above what it held before, as the kernel counts it.
"""

import ctypes
import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works from a checkout, installed or not

import apart
from absl import app, flags

PRESETS = flags.DEFINE_list("presets", ["glow-celeba64", "maf-mnist"], "Presets to load.")
ROWS = flags.DEFINE_list("rows", ["10000", "100000", "1000000"], "Rows of 43 columns to score by a maf.")
CHILD = flags.DEFINE_string("child", None, "Used by the script itself: 'score ROWS', 'load PRESET' or 'create PRESET'.")
MIB = 2**20


def held(key: str) -> float:
    """MiB by a line of /proc/self/status."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def before() -> float:
    """What is held now, in MiB, with free pages returned and the peak forgotten."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return held("VmRSS")


def measure(what, name):
    """{"peak": MiB above what was held before, "size": MiB of the rows or the weights}."""
    import numpy as np

    import flowzoo

    if what == "score":
        flow = flowzoo.create("maf", event_shape=(43,), depth=5, hidden=128, standardize=False)
        x = np.random.default_rng(0).normal(size=(int(name), 43)).astype("float32")
        flow.score(x[:10_000])
        start = before()
        flow.score(x)
        return {"peak": held("VmHWM") - start, "size": x.nbytes / MIB}
    flowzoo.load("realnvp-digits")  # imports what loading needs
    preset = flowzoo.hub.presets.read_preset(name)
    start = before()
    flow = flowzoo.load(name) if what == "load" else flowzoo.create(preset.family, **preset.config)
    peak = held("VmHWM") - start
    return {"peak": peak, "size": sum(weight.value.numpy().nbytes for weight in flow.variables) / MIB}


def main(argv):
    if CHILD.value:
        apart.show(measure(*CHILD.value.split()))
        return
    print("| call | rows or weights, MiB | peak above before, MiB |\n|---|---|---|")
    calls = [("score", rows) for rows in ROWS.value]
    calls += [(what, preset) for preset in PRESETS.value for what in ("create", "load")]
    for call in calls:
        found = apart.measured(" ".join(call))
        print(f"| `{' '.join(call)}` | {found['size']:.1f} | {found['peak']:.1f} |", flush=True)


if __name__ == "__main__":
    app.run(main)
