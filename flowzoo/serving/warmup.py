"""Warm-up requests: TensorFlow Serving replays them before a version goes live."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import tensorflow as tf

from flowzoo.serving.graph import signature_specs

WARMUP = Path("assets.extra", "tf_serving_warmup_requests")


def can_warm_up() -> bool:
    """Whether the extra `serving` is installed."""
    return importlib.util.find_spec("tensorflow_serving") is not None


def write_warmup(path: Path, name: str) -> None:
    """Writes one request of one row for each signature of the SavedModel at `path`, served as `name`."""
    from tensorflow_serving.apis import prediction_log_pb2

    (path / WARMUP).parent.mkdir()
    specs = signature_specs(path)
    shapes = {name: spec.shape[1:] for inputs, _ in specs.values() for name, spec in inputs.items()}
    with tf.io.TFRecordWriter(str(path / WARMUP)) as file:
        for signature, (inputs, _) in specs.items():
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = name, signature
            for key, spec in inputs.items():
                row = _row(spec, shapes.get("x"))
                if key == "z":
                    row.flat[0] = 1.0  # a point of the sphere, in case z must lie on one
                request.inputs[key].CopyFrom(tf.make_tensor_proto(row))
            file.write(log.SerializeToString())


def _row(spec, event_shape):
    if spec.dtype != tf.string:
        return np.zeros([1, *(size or 1 for size in spec.shape[1:])], spec.dtype.as_numpy_dtype)
    from PIL import Image

    image = io.BytesIO()
    Image.fromarray(np.zeros([*event_shape[:2], 3], np.uint8)).save(image, "PNG")
    return np.array([image.getvalue()], object)
