"""A hundred layers of random weights: finite, and how far decode(encode(x)) is off, by rounding alone.

`pytest tests/families/test_depth.py -n 0 -s` prints the rows of the table in docs/numerics.md, whose families it tests.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from flowzoo import flows
from tests import cases

PAGE = (Path(__file__).parents[2] / "docs" / "numerics.md").read_text()
CONFIGS = {
    family: cases.small(family, event_shape=(4,), depth=100, hidden=8, blocks=1)
    for family in dict.fromkeys(
        re.findall(r"^\| `([\w-]+)` \|", PAGE.partition("## A hundred layers")[2], re.MULTILINE)
    )
}
X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")


def _largest(values):
    return float(np.abs(values).max())


def _twins(family, size):
    """The flow with random weights, adapted, in float32 and in float64."""
    model = cases.randomized(flows.FAMILIES[family](**CONFIGS[family]), size)
    model.adapt(X)
    precise = flows.FAMILIES[family](**CONFIGS[family], dtype="float64")
    precise.set_weights(model.get_weights())
    return model, precise


def _errors(model):
    """Of x, of the log_det, and whether encode is finite; eager, since graphs so deep cost more than they save."""
    z, log_det = model.transform.encode(X)
    again, back = model.transform.decode(z)
    return _largest(again - X), _largest(log_det + back), np.isfinite(z).all() and np.isfinite(log_det).all()


def _row(family, size, record_property):
    (error, log_det_error, finite), (precise, _, _) = map(_errors, _twins(family, size))
    print(f"\n| `{family}` | {size} | {error:.0e} | {log_det_error:.0e} | {precise:.0e} |")
    record_property("reconstruction_error", error)
    return error, precise, finite


SLOW = ("iaf", "maf-mog", "nsf-ar", "nsf-coupling")  # half a minute together
ROWS = [pytest.param(family, marks=[pytest.mark.slow] * (family in SLOW)) for family in CONFIGS]


@pytest.mark.parametrize("family", ROWS)
def test_a_hundred_layers_invert(family, record_property):
    error, precise, finite = _row(family, 0.3 if family in ("planar", "radial") else 0.05, record_property)
    assert finite and error < 5e-3 and precise < 1e-11


@pytest.mark.slow
@pytest.mark.parametrize(("family", "size"), [*((family, 0.3) for family in CONFIGS), ("planar", 1.0)])
def test_larger_weights_are_reported(family, size, record_property):
    error, precise, finite = _row(family, size, record_property)
    off_by_rounding = (
        precise < 1e-5 * error or precise > 1.0 or not np.isfinite(error)
    )  # beyond 1 nothing grows linearly
    assert finite and off_by_rounding
