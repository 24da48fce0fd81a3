"""The REST predict protocol of TensorFlow Serving, as a transport of `Client`."""

from __future__ import annotations

import base64
import json

import numpy as np
import requests

from flowzoo.serving.errors import BadRequest, ServingError, TimedOut, Unavailable
from flowzoo.serving.tensor_specs import Signatures, Spec

DTYPES = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_INT32": "int32", "DT_INT64": "int64"}
DTYPES |= {"DT_INT16": "int16", "DT_UINT8": "uint8", "DT_STRING": "object"}


class Rest:
    """One model at an address such as "http://host:8501"; its numbers go as JSON."""

    def __init__(self, address: str, model: str, version: int | None, timeout: float):
        self._url = f"{address.rstrip('/')}/v1/models/{model}" + (f"/versions/{version}" if version else "")
        self._timeout = timeout
        self._session = requests.Session()

    def signatures(self) -> Signatures:
        """What the model takes and gives."""
        found = self._ask("GET", "/metadata", "metadata")["signature_def"]["signature_def"]
        return {name: (_specs(one["inputs"]), _specs(one["outputs"])) for name, one in found.items() if "inputs" in one}

    def predict(self, signature: str, inputs: dict[str, np.ndarray], outputs: dict[str, Spec]) -> dict[str, np.ndarray]:
        """The outputs of one request."""
        body = {"signature_name": signature, "inputs": {name: _json(value) for name, value in inputs.items()}}
        found = self._ask("POST", ":predict", "outputs", body)
        if len(outputs) == 1:  # the protocol leaves its name out
            found = {next(iter(outputs)): found}
        rows = len(next(iter(inputs.values())))
        return {
            name: np.array(found[name], spec.dtype).reshape(rows, *spec.shape[1:]) for name, spec in outputs.items()
        }

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _ask(self, method, path, key, body=None):
        # here, since requests itself would not send NaN, which the server refuses with the reason
        text = None if body is None else json.dumps(body)
        try:
            answer = self._session.request(method, self._url + path, data=text, timeout=self._timeout)
        except requests.Timeout as error:
            raise TimedOut(f"{self._url}: no answer in {self._timeout:g} s.") from error
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:  # or it ended midway
            raise Unavailable(f"{self._url}: no server answers ({error}).") from error
        try:
            content = answer.json()
        except requests.JSONDecodeError:
            content = None
        if answer.ok and isinstance(content, dict) and key in content:
            return content[key]
        problem = content.get("error", content) if isinstance(content, dict) else answer.text[:200]
        if answer.ok:
            problem = f"expected {key!r} of TensorFlow Serving, got {problem!r}"
        problem = f"{self._url}: {answer.status_code}: {problem}"
        if answer.status_code == 503:
            raise Unavailable(problem, answer.raw)
        raise (BadRequest if answer.status_code in (400, 404, 413) else ServingError)(problem)


def _json(value):
    if value.dtype == object:
        return [{"b64": base64.b64encode(item).decode()} for item in value]
    return value.tolist()


def _specs(infos):
    return {name: Spec(DTYPES[info["dtype"]], _shape(info["tensor_shape"])) for name, info in infos.items()}


def _shape(shape):
    sizes = [int(size["size"]) for size in shape.get("dim", [])]
    return tuple(None if size < 0 else size for size in sizes)
