"""Preset records for tests: a valid one, untrained, that a test alters."""

import copy
import json
from pathlib import Path

UNTRAINED = {
    "name": "tiny",
    "revision": 1,
    "description": "A tiny flow for tests.",
    "family": "glow",
    "config": {"event_shape": [8, 8, 1], "bits": 8, "levels": 1, "depth": 2, "hidden": 8, "seed": 0},
    "dataset": {"name": "fashion_mnist", "bits": 8, "labels": False},
    "training": [
        {
            "seed": 0,
            "batch_size": 4,
            "steps": 2,
            "optimizer": "adam",
            "learning_rate": 0.001,
            "warmup_steps": 1,
            "decay": "cosine",
            "final_learning_rate": 1e-5,
            "clip_norm": 10.0,
            "ema": 0.9,
            "flip": False,
            "conditioner_dtype": "float32",
            "validate_every": 1,
            "validation_examples": 4,
            "patience": 10,
            "adapt_examples": 4,
            "jit_compile": False,
        }
    ],
    "licence": {"code": "Apache-2.0", "weights": "Apache-2.0", "data": "MIT"},
    "paper": {"title": "Glow", "authors": "Kingma and Dhariwal", "year": 2018, "arxiv": "1807.03039"},
    "published": [{"metric": "bits_per_dim", "value": 2.9, "source": "a paper", "note": "8 bits", "verified": True}],
}

PROTOCOL = {"kind": "lower_bound", "draws": 1, "seed": 0, "bits": 8, "temperature": 1.0, "weights": "ema"}
ROUND_TRIP = {
    "inputs": "the first 64",
    "examples": 64,
    "reconstruction_error": 1e-6,
    "log_det_error": 1e-4,
    "non_finite_rate": 0.0,
}
FILE = {"sha256": "0" * 64, "bytes": 1}
PUBLISHED = {
    "parameters": 1234,
    "fingerprint": "f" * 64,
    "files": {name: dict(FILE) for name in ("model.weights.h5", "samples.png", "history.csv")},
    "metrics": {
        "bits_per_dim": {"value": 3.0, "standard_error": 0.01, "split": "test", "examples": 10000, **PROTOCOL},
        "fixture_bits_per_dim": {"value": 3.1, "standard_error": 0.06, "split": "fixture", "examples": 256, **PROTOCOL},
        "log_det_error": {"value": 1e-3, "note": "against autodiff, nats, 1 example"},
    },
    "certificate": {kind: dict(ROUND_TRIP) for kind in ("test", "sampled", "out_of_distribution")},
    "provenance": {
        "source_revision": "0" * 40,
        "command": "python tools/train.py --preset=tiny",
        "versions": {"tensorflow": "2.21.0"},
        "hardware": "2 CPU cores",
        "wall_time_seconds": 60.0,
        "steps": 2,
        "seconds_per_step": 30.0,
        "date": "2026-01-01",
    },
}


def untrained() -> dict:
    """A fresh copy of the untrained record."""
    return copy.deepcopy(UNTRAINED)


def published() -> dict:
    """A fresh copy of a record as `tools/publish.py` leaves it."""
    return copy.deepcopy(UNTRAINED | PUBLISHED)


def write(path: Path, record: dict) -> Path:
    """Write a record as JSON."""
    path.write_text(json.dumps(record))
    return path
