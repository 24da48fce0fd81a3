"""What can go wrong between a client and a server."""

from typing import Any


class ServingError(RuntimeError):
    """A server that fails, or that answers what its protocol doesn't have."""


class BadRequest(ServingError, ValueError):
    """INVALID_ARGUMENT or HTTP 400: the message says what was expected and what came. NOT_FOUND and too large, too."""


class Unavailable(ServingError):
    """No server answers, or only to say so by `response`; asking again may help, and the client did."""

    def __init__(self, why: str, response: Any = None):
        super().__init__(why)
        self.response = response


class TimedOut(Unavailable):
    """No answer in time; asking again would burden a busy server further, so the client did not."""
