"""What `all.py` times, the same for every library: models, data, calls and their targets."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np

FEATURES, DEPTH, BINS = 43, 5, 8  # of vectors; networks have two hidden layers
IMAGE, LEVELS, STEPS = (32, 32, 3), 3, 8  # of Glow
HIDDEN = 128
RATE = 1e-4  # of Adam
EPOCHS = 3  # of `fit`, of which the first, which compiles, is not timed
PEERS = {  # by model, as they are named in the table
    "maf": ("FlowJAX", "zuko"),
    "realnvp": ("FlowJAX", "zuko"),
    "nsf-coupling": ("FlowJAX", "zuko"),
    "nsf-ar": ("FlowJAX", "zuko"),
    "glow": ("normflows",),
    "glow-bfloat16": ("normflows",),  # with networks in bfloat16; the peer's are in float32
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table: a public call.

    Attributes:
      model: a key of `PEERS`.
      call: "first step" (a `fit` of one batch by a process that has trained none), "fit", "log_prob", "score" or
        "sample".
      size: rows or images of one call; of an epoch, for "fit".
      target: how many times as fast as a peer it is to be; None if nothing is demanded.
      beside: the peer; "" for the fastest one.
    """

    model: str
    call: str
    size: int
    target: float | None = None
    beside: str = ""


def _vectors(model, epoch, sizes, targets):
    calls = [("first step", 512), ("fit", epoch), ("log_prob", 512), ("score", 512), ("score", 10_000)]
    rows = [(model, call, size) for call, size in [*calls, *(("sample", size) for size in sizes)]]
    return [Row(*row, *targets.get(row[1:], ())) for row in rows]


def _images(model, fit):
    calls = [("log_prob", 32), ("score", 128), ("sample", 1), ("sample", 32)]
    return [Row(model, "first step", 32), Row(model, "fit", 192, fit), *(Row(model, *call) for call in calls)]


ROWS = [
    *_vectors(
        "maf",
        20_480,
        (1, 512, 10_000),
        {
            ("fit", 20_480): (1.5,),
            ("log_prob", 512): (0.85,),
            ("sample", 1): (0.5, "FlowJAX"),
            ("sample", 512): (10.0, "zuko"),
        },
    ),
    *_vectors(
        "realnvp",
        20_480,
        (1, 512, 10_000),
        {
            ("fit", 20_480): (1.3,),
            ("log_prob", 512): (1.0,),
            ("sample", 1): (0.5, "FlowJAX"),
            ("sample", 512): (1.0,),
        },
    ),
    *_vectors(
        "nsf-coupling",
        10_240,
        (1, 512, 10_000),
        {("fit", 10_240): (1.3,), ("sample", 1): (0.5, "FlowJAX"), ("sample", 512): (1.0,)},
    ),
    *_vectors("nsf-ar", 10_240, (1, 512), {}),  # zuko takes 20 s and more for 10,000 samples
    *_images("glow", 1.5),
    Row("glow-bfloat16", "fit", 192, 2.5),
]
FIRST_STEPS = {8: 6.0, 32: 20.0}  # seconds until Glow's first step is done, at most, by steps per level (K)
LOAD = ("glow-celeba64", 4.0)  # seconds of a fresh process until it has imported, loaded and drawn a sample, at most
PRIVATE = {  # functions of `flow.raw`, and how they are compiled
    "step": ("graph", "XLA"),
    "log_prob": ("graph", "XLA"),
    "sample": ("graph", "XLA", "SavedModel"),
}
BATCHES = {model: 32 if model.startswith("glow") else 512 for model in PEERS}  # rows of a training step


def can_time(model: str) -> bool:
    """Whether a step takes no minutes: networks in bfloat16 need AVX-512, without which one took ten times as long."""
    cpu = Path("/proc/cpuinfo")
    return "bfloat16" not in model or not cpu.exists() or bool(re.search(r"\bavx512bw\b", cpu.read_text()))


def data(model: str, rows: int) -> np.ndarray:
    """Standard normal numbers, (rows, 43) float32, or random images, (rows, 32, 32, 3) uint8."""
    numbers = np.random.default_rng(0)
    if model.startswith("glow"):
        return numbers.integers(0, 256, (rows, *IMAGE), dtype=np.uint8)
    return numbers.standard_normal((rows, FEATURES), dtype=np.float32)
