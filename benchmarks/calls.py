"""The calls that users make, by one name in every library, and the process that times them on request."""

from __future__ import annotations

import abc
import functools
import time
from collections.abc import Callable

import apart
import numpy as np
from protocol import EPOCHS, data
from timing import seconds

WARM = 2  # calls before the first one timed


class Calls(abc.ABC):
    """What users call on a new model. Each method returns when the result is there, as a NumPy array."""

    @abc.abstractmethod
    def fit(self, x: np.ndarray, epochs: int) -> list[float]:
        """Trains by Adam; the values of `time.perf_counter` at the end of each epoch."""

    @abc.abstractmethod
    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Nats, (rows,)."""

    def score(self, x: np.ndarray) -> np.ndarray:
        """`log_prob` of any number of rows, (rows,); where a library has nothing else for it, that."""
        return self.log_prob(x)

    @abc.abstractmethod
    def sample(self, n: int) -> np.ndarray:
        """(n, *event_shape)."""

    def private(self, what: str, x: np.ndarray) -> Callable[[], object]:
        """A function that users don't call: "step", of training, and others of `PRIVATE`, as "step, XLA"."""
        raise NotImplementedError(f"{type(self).__name__} has no {what!r}.")


def serve(make: Callable[[str], Calls]) -> None:
    """Answers requests [model, call, size, at_least] by seconds per call; of an epoch after the first, for "fit".

    Args:
      make: makes the calls of a model.
    """
    of_model = functools.cache(make)

    @functools.cache
    def warm(model, call, size):
        calls, x = of_model(model), data(model, size)
        if call == "sample":
            work = functools.partial(calls.sample, size)
        elif call in ("log_prob", "score"):
            work = functools.partial(getattr(calls, call), x)
        else:
            work = calls.private(call, x)
        for _ in range(WARM):
            work()
        return work

    for model, call, size, at_least in apart.requests():
        if call == "first step":
            calls, x = of_model(model), data(model, size)
            start = time.perf_counter()
            calls.fit(x, 1)
            apart.show(time.perf_counter() - start)
        elif call == "fit":
            first, *_, last = of_model(model).fit(data(model, size), EPOCHS)
            apart.show((last - first) / (EPOCHS - 1))
        else:
            apart.show(seconds(warm(model, call, size), at_least=at_least))
