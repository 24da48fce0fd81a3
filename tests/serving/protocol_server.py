"""A stand-in that speaks the protocols of TensorFlow Serving, gRPC and REST, from exported SavedModels.

It is not TensorFlow Serving: it answers for its protocol and for the SavedModel, whose graph runs in a session
without XLA and without Python's checks, as it does there. It doesn't batch and doesn't reload.
`examples/serving/check.sh` runs the same tests against the real one.
"""

import base64
import contextlib
import json
import re
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import config_pb2, saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from flowzoo.serving.graph import signature_specs

HTTP = {3: 400, 5: 404, 9: 412, 14: 503}  # by code of gRPC and TensorFlow; others are 500
PATH = re.compile(r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+))?(?P<rest>:predict|/metadata|)")


class Refused(Exception):
    """A request that fails with a code of gRPC."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Model:
    """One version of a model, loaded as TensorFlow Serving loads it."""

    def __init__(self, path):
        self.path, self.specs = path, signature_specs(path)
        proto = saved_model_pb2.SavedModel()
        proto.ParseFromString((path / "saved_model.pb").read_bytes())
        self.signatures = proto.meta_graphs[0].signature_def
        options = config_pb2.ConfigProto()
        options.graph_options.optimizer_options.global_jit_level = config_pb2.OptimizerOptions.OFF
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=options)
        with self._session.graph.as_default():
            tf.compat.v1.saved_model.loader.load(self._session, ["serve"], str(path))
        self._callables = {name: self._callable(*specs) for name, specs in self.specs.items()}

    def predict(self, signature, inputs):
        """Outputs by name; `inputs` are arrays by name, as they came."""
        specs, outputs = self.signature(signature)
        if set(inputs) != set(specs):
            extra, missing = sorted(set(inputs) - set(specs)), sorted(set(specs) - set(inputs))
            raise Refused(3, f"inputs expected: {sorted(specs)}. Sent extra: {extra}. Missing but required: {missing}.")
        try:
            values = self._callables[signature](*(inputs[name] for name in specs))
        except tf.errors.OpError as error:
            raise Refused(error.error_code, error.message) from error
        return dict(zip(outputs, values, strict=True))

    def signature(self, name):
        """(inputs, outputs) of a signature."""
        if name not in self.specs:
            raise Refused(9, f'Serving signature key "{name}" not found. Expected one of {sorted(self.specs)}.')
        return self.specs[name]

    def _callable(self, inputs, outputs):  # unlike `run`, it leaves shapes and dtypes to the graph
        options = config_pb2.CallableOptions()
        options.feed.extend(spec.name for spec in inputs.values())
        options.fetch.extend(spec.name for spec in outputs.values())
        return self._session._make_callable_from_options(options)


class Models:
    """The versions in a folder of models."""

    def __init__(self, folder):
        paths = [path for path in Path(folder).glob("*/*") if path.name.isdigit()]
        self._models = {(path.parent.name, int(path.name)): Model(path) for path in paths}

    def get(self, name, version=None):
        """(version, model); the highest version if none is asked for."""
        versions = [known for model, known in self._models if model == name and version in (None, known)]
        if not versions:
            raise Refused(5, f"Servable not found for request: {name}, version {version or 'latest'}.")
        return max(versions), self._models[name, max(versions)]


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """gRPC."""

    def __init__(self, models):
        self._models = models

    def Predict(self, request, context):
        with _answering(context):
            version, model = self._get(request)
            signature = request.model_spec.signature_name or "serving_default"
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            answer = predict_pb2.PredictResponse()
            for name, value in model.predict(signature, inputs).items():
                answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            answer.model_spec.name, answer.model_spec.signature_name = request.model_spec.name, signature
            answer.model_spec.version.value = version
            return answer

    def GetModelMetadata(self, request, context):
        with _answering(context):
            version, model = self._get(request)
            answer = get_model_metadata_pb2.GetModelMetadataResponse()
            answer.model_spec.name, answer.model_spec.version.value = request.model_spec.name, version
            answer.metadata["signature_def"].Pack(_map(model))
            return answer

    def _get(self, request):
        spec = request.model_spec
        return self._models.get(spec.name, spec.version.value if spec.HasField("version") else None)


class Handler(BaseHTTPRequestHandler):
    """REST."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet; else TCP holds the second back for 40 ms
    models = None

    def do_GET(self):
        self._answer(None)

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, *_):
        pass

    def _answer(self, body):
        try:
            status, content = 200, self._content(body)
        except Refused as error:
            status, content = HTTP.get(error.code, 500), {"error": str(error)}
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _content(self, body):
        match = PATH.fullmatch(self.path)
        if not match or (match["rest"] == ":predict") != (body is not None):
            raise Refused(5, f"Malformed request: {self.command} {self.path}")
        version, model = self.models.get(match["name"], int(match["version"]) if match["version"] else None)
        if match["rest"] == "/metadata":
            signatures = json_format.MessageToDict(_map(model), preserving_proto_field_name=True)
            spec = {"name": match["name"], "signature_name": "", "version": str(version)}
            return {"model_spec": spec, "metadata": {"signature_def": signatures}}
        if not match["rest"]:
            return {"model_version_status": [{"version": str(version), "state": "AVAILABLE"}]}
        return _predict_json(model, body)


def _predict_json(model, body):
    try:
        request = json.loads(body)
        signature = request.get("signature_name", "serving_default")
        given = request["inputs"] if "inputs" in request else request["instances"]
    except (ValueError, AttributeError, KeyError) as error:
        raise Refused(3, f"JSON Parse error: expected an object with 'inputs' or 'instances' ({error!r})") from error
    specs = model.signature(signature)[0]
    if "inputs" not in request:
        names = list(given[0]) if given and isinstance(given[0], dict) and "b64" not in given[0] else list(specs)[:1]
        given = {name: [row[name] for row in given] for name in names} if isinstance(given[0], dict) else given
    if not isinstance(given, dict):
        given = {next(iter(specs)): given}
    inputs = {name: _array(value, name, specs[name]) if name in specs else value for name, value in given.items()}
    outputs = {name: value.tolist() for name, value in model.predict(signature, inputs).items()}
    return {"outputs": next(iter(outputs.values())) if len(outputs) == 1 else outputs}


def _array(value, name, spec):
    try:
        if spec.dtype == tf.string:
            return np.array([base64.b64decode(row["b64"], validate=True) for row in value], object)
        wanted, array = spec.dtype.as_numpy_dtype, np.array(value)
        if wanted is not array.dtype and np.issubdtype(wanted, np.integer):
            if not np.issubdtype(array.dtype, np.integer) and array.size:
                raise ValueError(f"got {array.dtype}")
            if (array != array.astype(wanted)).any():
                raise ValueError(f"got {array.min()} ... {array.max()}")
        return array.astype(wanted)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise Refused(3, f"JSON value of {name!r} is not of the expected type {spec.dtype.name}: {error}") from error


def _map(model):
    found = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in model.signatures.items():
        found.signature_def[name].CopyFrom(signature)
    return found


@contextlib.contextmanager
def _answering(context):
    codes = {code.value[0]: code for code in grpc.StatusCode}
    try:
        yield
    except Refused as error:
        context.abort(codes[error.code], str(error))


@contextlib.contextmanager
def serving(folder):
    """Serves the models in a folder on loopback; gives the addresses (REST, gRPC)."""
    models = Models(folder)
    options = [(f"grpc.max_{way}_message_length", 2**26) for way in ("send", "receive")]
    rpc = grpc.server(futures.ThreadPoolExecutor(4), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(models), rpc)
    port = rpc.add_insecure_port("127.0.0.1:0")
    rpc.start()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"models": models}))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}", f"grpc://127.0.0.1:{port}"
    finally:
        http.shutdown()
        http.server_close()
        rpc.stop(None)
