"""The gRPC PredictionService of TensorFlow Serving, as a transport of `Client`; needs the extra `serving`."""

from __future__ import annotations

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from flowzoo.serving.errors import BadRequest, ServingError, TimedOut, Unavailable
from flowzoo.serving.graph import specs_of
from flowzoo.serving.tensor_specs import Signatures, Spec

LARGEST = 2**30  # bytes of a message
_KINDS = {
    grpc.StatusCode.INVALID_ARGUMENT: BadRequest,
    grpc.StatusCode.NOT_FOUND: BadRequest,
    grpc.StatusCode.FAILED_PRECONDITION: BadRequest,  # TensorFlow Serving's word for a signature that is not there
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: TimedOut,
}


class Rpc:
    """One model at an address such as "grpc://host:8500", or "grpcs://host:443" with TLS."""

    def __init__(self, address: str, model: str, version: int | None, timeout: float):
        self._address, self._model, self._version, self._timeout = address, model, version, timeout
        scheme, _, target = address.partition("://")
        options = [(f"grpc.max_{way}_message_length", LARGEST) for way in ("send", "receive")]
        if scheme == "grpcs":
            self._channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
        else:
            self._channel = grpc.insecure_channel(target, options)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def signatures(self) -> Signatures:
        """What the model takes and gives."""
        request = self._addressed(get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]))
        answer = self._ask(self._service.GetModelMetadata, request)
        found = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        signatures = specs_of(found.signature_def)
        return {name: (Spec.of_each(given), Spec.of_each(made)) for name, (given, made) in signatures.items()}

    def predict(self, signature: str, inputs: dict[str, np.ndarray], outputs: dict[str, Spec]) -> dict[str, np.ndarray]:
        """The outputs of one request."""
        request = self._addressed(predict_pb2.PredictRequest())
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        answer = self._ask(self._service.Predict, request)
        return {name: tf.make_ndarray(answer.outputs[name]) for name in outputs}

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _addressed(self, request):
        request.model_spec.name = self._model
        if self._version:
            request.model_spec.version.value = self._version
        return request

    def _ask(self, method, request):
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            text = f"{self._address}: {error.code().name}: {error.details()}"
            too_large = "larger than max" in text  # gRPC's RESOURCE_EXHAUSTED, before any server sees the request
            raise (BadRequest if too_large else _KINDS.get(error.code(), ServingError))(text) from error
