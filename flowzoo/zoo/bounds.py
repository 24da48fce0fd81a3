"""What an invertibility certificate must keep to."""

import math
from typing import Any

Certificate = dict[str, dict[str, Any]]  # kind of input -> the keys of `schema.ROUND_TRIP`

LOG_DET = 0.05  # nats, from float32 over all dimensions of one example
BOUNDS = {
    "reconstruction_error": 1e-3,  # of the data range, a quarter of one step of 8 bits; of continuous data in its units
    "log_det_error": LOG_DET,
    "non_finite_rate": 0.0,
}
PROMISED = ("test", "sampled")  # the kinds of input for which they hold; out of distribution nothing is promised


def failures(certificate: Certificate) -> list[str]:
    """What of a certificate is beyond `BOUNDS`, in words; [] if nothing is.

    >>> failures({"test": {"reconstruction_error": 0.5, "log_det_error": 0.01, "non_finite_rate": 0.0}})
    ['reconstruction_error of test inputs is 0.5, more than 0.001']
    """
    return [
        f"{key} of {kind} inputs is {certificate[kind].get(key, math.inf):.3g}, more than {bound:g}"
        for kind in PROMISED
        for key, bound in BOUNDS.items()
        if kind in certificate and not certificate[kind].get(key, math.inf) <= bound
    ]
