"""What can go wrong between a client and a server."""

from typing import Any


class ServingError(RuntimeError):
    """A server that fails, or whose answer does not follow the protocol."""


class BadRequest(ServingError, ValueError):
    """INVALID_ARGUMENT or HTTP 400, with what was expected and sent; or no such model or signature; or too large."""


class Unavailable(ServingError):
    """No server answers, or one answers only that it can't (`response`); asking again may help, and the client did."""

    def __init__(self, why: str, response: Any = None):
        super().__init__(why)
        self.response = response


class TimedOut(Unavailable):
    """No answer in time; asking again would burden a busy server further, so the client did not."""
