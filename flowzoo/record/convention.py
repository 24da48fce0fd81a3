"""How a likelihood is stated: bits/dim of integer data, lower is better; nats of continuous data, higher is better."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """A way to state a likelihood.

    Attributes:
        loss: what training lowers, as histories call it: "bits_per_dim", or "nats" for -log p(x) per example.
        metric: what cards and `evaluate` state: "bits_per_dim", or "log_likelihood" for log p(x) per example.
        unit: of both, for readers.
        sign: the metric is `sign` times the loss.
        tolerance: how far apart two measurements on the same examples may be.
    """

    loss: str
    metric: str
    unit: str
    sign: int
    tolerance: float

    def text(self, metric: dict | None, absent: str, unit: bool = True) -> str:
        """The value of a card's metric in a table, as "3.141 bits/dim"; `absent` if there is none."""
        if not metric:
            return absent
        draws = f" ({metric['draws']} draws)" if metric["draws"] > 1 else ""
        return f"{metric['value']:.3f}" + (f" {self.unit}" if unit else "") + draws


_DISCRETE = Likelihood(loss="bits_per_dim", metric="bits_per_dim", unit="bits/dim", sign=1, tolerance=1e-3)
_CONTINUOUS = Likelihood(loss="nats", metric="log_likelihood", unit="nats", sign=-1, tolerance=1e-2)


def stated(bits: int) -> Likelihood:
    """How the likelihood of data is stated: of integers of so many bits, or, with 0, of continuous numbers.

    >>> stated(8).metric, stated(0).metric
    ('bits_per_dim', 'log_likelihood')
    """
    return _DISCRETE if bits else _CONTINUOUS
