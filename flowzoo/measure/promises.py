"""What an invertibility certificate must keep to."""

import math
from typing import Any

Certificate = dict[str, dict[str, Any]]  # kind of input -> the keys of `schema.ROUND_TRIP`

LOG_DET = 0.05  # nats, from float32 over all dimensions of one example
BOUNDS = {
    "reconstruction_error": 1e-3,  # of the data range, a quarter of one step of 8 bits; of continuous data in its units
    "log_det_error": LOG_DET,
    "non_finite_rate": 0.0,
    "exploded_rate": 0.05,  # what left the data range tenfold is counted apart: at 1e6 float32 has no thousandths
}
PROMISED = ("test", "sampled")  # the kinds of input for which they hold; out of distribution nothing is promised


def failures(certificate: Certificate) -> list[str]:
    """What of a certificate is beyond `BOUNDS`, in words; [] if nothing is.

    >>> failures({"test": {"reconstruction_error": 0.5, "log_det_error": 0.01, "non_finite_rate": 0.0}})
    ['reconstruction_error of test inputs is 0.5, more than 0.001']
    """
    return [
        f"{key} of {kind} inputs is {entry_value(certificate[kind], key):.3g}, more than {bound:g}"
        for kind in PROMISED
        for key, bound in BOUNDS.items()
        if kind in certificate and not entry_value(certificate[kind], key) <= bound
    ]


def entry_value(entry: dict[str, Any], key: str) -> float:
    """A number of a certificate; an error that is absent, as no row was finite, is infinite, an absent rate is 0."""
    return entry.get(key, 0.0 if key.endswith("_rate") else math.inf)
