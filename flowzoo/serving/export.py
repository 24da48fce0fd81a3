"""A flow as a SavedModel that plain TensorFlow runs, without Keras, TFP, flowzoo or XLA."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from flowzoo.flows import Flow


def export(flow: Flow, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
    """Writes a SavedModel, all or nothing.

    Its signatures take any batch size and have named inputs and outputs:

        log_prob: x -> log_prob                     (also `serving_default`)
        sample:   seed, temperature -> x            one sample per row
        encode:   x -> z, log_det
        decode:   z -> x, log_det

    x is in native units, (batch, *event_shape) of `flow.data_dtype`; seed (batch, 2) int32; temperature (batch,)
    float32; log_prob and log_det (batch,) in nats; z (batch, *latent_shape). A conditional flow takes `condition`
    too: (batch,) int32 labels or (batch, features) float32; a condition per pixel, which the image
    conditioners also take, does not fit these signatures. Results are equal to those of the Python methods with
    `seed=0` to 1e-4 relative (absolute below 1); an integer pixel at the edge of its bin may differ by 1.
    Nothing is checked and no row affects another: a NaN or a label out of range gives NaN in that row.

    Args:
      flow: a `Flow`; its weights are stored as they are now.
      path: the folder to write; for TensorFlow Serving it ends in a version number, "models/glow/1".
      overwrite: replace a folder that is there and not empty.

    Returns:
      The path.

    Raises:
      FileExistsError: the folder is not empty and `overwrite` is False, or the path is a file.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"`path` must be a folder or new, got the file {path}.")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise FileExistsError(
            f"`path` must be a new or empty folder, got {path} with something in it. Use overwrite=True."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that renaming is atomic; no number, so that TensorFlow Serving takes it for no version.
    written = path.parent / f".{path.name}.{uuid.uuid4().hex}"
    try:
        _save(flow, written)
        _put_in_place(written, path)
    except BaseException:
        shutil.rmtree(written, ignore_errors=True)
        raise
    return path


def _save(flow, path):
    module = tf.Module()
    module.weights = [variable.value for variable in flow.variables]  # flat: Keras' own tree stores them twice
    signatures = _signatures(flow)
    tf.saved_model.save(module, str(path), {"serving_default": signatures["log_prob"], **signatures})


def _signatures(flow):
    word = tf.constant(0, tf.uint32)

    def log_prob(x, condition=None):
        return {"log_prob": flow._log_prob(x, condition, word, 1)}

    def sample(seed, temperature, condition=None):
        return {"x": flow._sample(seed, temperature, condition)}

    def encode(x, condition=None):
        z, log_det = flow._encode(x, condition, word)
        return {"z": z, "log_det": log_det}

    def decode(z, condition=None):
        x, log_det = flow._decode(z, condition)
        return {"x": x, "log_det": log_det}

    x = tf.TensorSpec([None, *flow.event_shape], flow.data_dtype)
    z = tf.TensorSpec([None, *flow.latent_shape], flow.compute_dtype)
    draws = {"seed": tf.TensorSpec([None, 2], tf.int32), "temperature": tf.TensorSpec([None], tf.float32)}
    condition = {}
    if flow.classes:
        condition["condition"] = tf.TensorSpec([None], tf.int32)
    elif flow.condition_features:
        condition["condition"] = tf.TensorSpec([None, flow.condition_features], tf.float32)
    return {
        function.__name__: tf.function(function, autograph=False).get_concrete_function(**inputs, **condition)
        for function, inputs in ((log_prob, {"x": x}), (sample, draws), (encode, {"x": x}), (decode, {"z": z}))
    }


def _put_in_place(written, path):
    if path.is_dir() and any(path.iterdir()):
        old = written.with_name(f"{written.name}.old")
        path.rename(old)
        written.rename(path)
        shutil.rmtree(old)
    else:
        written.rename(path)  # takes the place of an empty folder
