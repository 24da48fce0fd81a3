"""Retries of what may succeed at the next attempt, after growing pauses, counted by urllib3."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def repeated(
    action: Callable[[], Result],
    passing: type[Exception],
    *,
    retries: int,
    pause: float,
    longest: float,
    lasting: type[Exception] | tuple[type[Exception], ...] = (),
) -> Result:
    """What `action` returns in the end, or the last error that it raises.

    Args:
        action: what to do; repeating it must do no harm.
        passing: its transient errors, worth another attempt; a header of their `response` may say when to make it.
        retries: attempts after the first.
        pause: seconds: none before the second attempt, about twice this before the third, then twice as long each time.
        longest: seconds that a response may ask to wait.
        lasting: those of the `passing` that are not worth another attempt.
    """
    from urllib3 import Retry, exceptions  # here, to keep `import flowzoo` cheap

    pauses = Retry(retries, backoff_factor=pause, backoff_jitter=pause, retry_after_max=longest)
    while True:
        try:
            return action()
        except lasting:
            raise
        except passing as error:
            if not pauses.total:
                raise
            pauses = pauses.increment(error=error)
            with contextlib.suppress(exceptions.InvalidHeader, ValueError):  # a Retry-After that can't be read
                pauses.sleep(getattr(error, "response", None))
