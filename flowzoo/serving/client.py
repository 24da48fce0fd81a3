"""A client for an exported flow on TensorFlow Serving, by REST or gRPC."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowzoo.core.checks import check_count
from flowzoo.core.retries import Result, repeated
from flowzoo.serving.errors import TimedOut, Unavailable

if TYPE_CHECKING:
    import numpy as np

    from flowzoo.serving.tensor_specs import Signatures

    Condition = np.ndarray | Mapping[str, np.ndarray] | None

PAUSE = 0.2  # seconds, as `repeated` takes it


class Client:
    """The methods of a flow, computed by a server.

    Any number of rows is sent in requests of `batch_size` rows. Values are checked against the signature before they
    are sent. All requests can be repeated without harm, so those that reached no server are retried.

    Args:
      address: "http://host:8501" or "https://..." for REST; "grpc://host:8500" or "grpcs://..." for gRPC, which needs
        `pip install flowzoo[serving]` and sends numbers as they are, not as text.
      model: its name on the server.
      version: of the model; the server's choice, usually the highest, if not given.
      timeout: seconds for one request, and the longest that a server may ask to wait before the next (`Retry-After`).
      retries: further attempts after the first, with growing pauses.
      batch_size: rows of a request.

    A condition is an array, or a dict of them by name, as the flow was built.

    Methods raise:
      ValueError: a value does not fit the signature, or (`BadRequest`) the server refused it, saying why.
      Unavailable: no server answered in any attempt; `TimedOut` if it took too long.
      ServingError: (the parent of these) any other failure of the server.
    """

    def __init__(
        self,
        address: str,
        model: str,
        *,
        version: int | None = None,
        timeout: float = 10.0,
        retries: int = 3,
        batch_size: int = 128,
    ):
        scheme = address.partition("://")[0]
        if scheme not in ("http", "https", "grpc", "grpcs"):
            raise ValueError(f"`address` must begin with http://, https://, grpc:// or grpcs://, got {address!r}.")
        self._timeout, self._retries = timeout, check_count(retries, "retries", 0)
        self._batch_size = check_count(batch_size, "batch_size")
        self._transport = _transport(scheme)(address, model, version, timeout)

    def log_prob(self, x: np.ndarray, condition: Condition = None) -> np.ndarray:
        """log p(x) in nats of (n, *event_shape): (n,)."""
        return self.predict("log_prob", x=x, **_inputs(condition))["log_prob"]

    def bits_per_dim(self, x: np.ndarray, condition: Condition = None) -> np.ndarray:
        """-log p(x) / (D ln 2) of (n, *event_shape): (n,)."""
        return self.predict("bits_per_dim", x=x, **_inputs(condition))["bits_per_dim"]

    def score_images(self, images: Sequence[bytes], condition: Condition = None) -> dict[str, np.ndarray]:
        """log_prob and bits_per_dim of PNG and JPEG files: (n,) each."""
        return self.predict("serving_bytes", image_bytes=images, **_inputs(condition))

    def encode(self, x: np.ndarray, condition: Condition = None) -> tuple[np.ndarray, np.ndarray]:
        """Data to latent: z (n, *latent_shape) and log_det (n,) in nats."""
        found = self.predict("encode", x=x, **_inputs(condition))
        return found["z"], found["log_det"]

    def decode(self, z: np.ndarray, condition: Condition = None) -> tuple[np.ndarray, np.ndarray]:
        """Latent to data: x (n, *event_shape) and log_det (n,) in nats."""
        found = self.predict("decode", z=z, **_inputs(condition))
        return found["x"], found["log_det"]

    def sample(
        self, n: int, condition: Condition = None, temperature: float | np.ndarray = 1.0, seed: int = 0
    ) -> np.ndarray:
        """n samples, those of `Flow.sample` with the same integer seed: (n, *event_shape).

        One row of a condition is for all samples.
        """
        import numpy as np

        from flowzoo.core.random import seeds_at
        from flowzoo.core.validation import check_temperature

        seeds = seeds_at(seed, np.arange(check_count(n, "n")))
        temperatures = check_temperature(temperature, n)
        given = {name: part if part is None else _for_all(part, n) for name, part in _inputs(condition).items()}
        return self.predict("sample", seed=seeds, temperature=temperatures, **given)["x"]

    def predict(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        """The outputs of a signature for named inputs, all with the same number of rows; None is left out."""
        import numpy as np

        from flowzoo.core.errors import nearest
        from flowzoo.serving.tensor_specs import fitting

        if signature not in self.signatures:
            raise ValueError(f"the model has no signature {signature!r}. {nearest(signature, self.signatures)}")
        specs, outputs = self.signatures[signature]
        inputs = {name: value for name, value in inputs.items() if value is not None}
        if set(inputs) != set(specs):
            raise ValueError(f"`{signature}` takes {', '.join(sorted(specs))}, got {', '.join(sorted(inputs))}.")
        arrays = {name: fitting(value, name, specs[name]) for name, value in inputs.items()}
        rows = {name: len(array) for name, array in arrays.items()}
        if len(set(rows.values())) > 1:
            raise ValueError(f"all inputs must have the same number of rows, got {rows}.")
        parts = [{name: np.zeros([0, *spec.shape[1:]], spec.dtype) for name, spec in outputs.items()}]
        for start in range(0, max(rows.values()), self._batch_size):
            part = {name: array[start : start + self._batch_size] for name, array in arrays.items()}
            parts.append(self._again(functools.partial(self._transport.predict, signature, part, outputs)))
        return {name: np.concatenate([part[name] for part in parts]) for name in outputs}

    @functools.cached_property
    def signatures(self) -> Signatures:
        """(inputs, outputs) of each signature, as the server reports them."""
        return self._again(self._transport.signatures)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _again(self, action: Callable[[], Result]) -> Result:
        how = {"retries": self._retries, "pause": PAUSE, "longest": self._timeout}
        try:
            return repeated(action, Unavailable, lasting=TimedOut, **how)
        except TimedOut:
            raise
        except Unavailable as error:
            raise Unavailable(f"{error} Gave up after {self._retries + 1} attempts.") from error


def _transport(scheme):
    if scheme.startswith("http"):
        from flowzoo.serving.rest import Rest

        return Rest
    if importlib.util.find_spec("tensorflow_serving") is None:
        raise ValueError("gRPC needs tensorflow-serving-api. Run `pip install flowzoo[serving]`, or use http://.")
    from flowzoo.serving.rpc import Rpc

    return Rpc


def _inputs(condition: Condition) -> dict[str, Any]:
    """A condition as inputs of a signature."""
    return dict(condition) if isinstance(condition, Mapping) else {"condition": condition}


def _for_all(part, n: int) -> np.ndarray:
    """A condition of n samples; one row stands for all."""
    import numpy as np

    rows = np.atleast_1d(part)
    return np.repeat(rows, n, axis=0) if len(rows) == 1 else rows
