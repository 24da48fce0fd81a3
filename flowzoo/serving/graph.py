"""What a SavedModel says of its own signatures, without loading it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

Specs = dict[str, tf.TensorSpec]


def signature_specs(path: str | os.PathLike) -> dict[str, tuple[Specs, Specs]]:
    """(inputs, outputs) of every signature of the SavedModel at `path`; each spec is named by its tensor."""
    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString(Path(path, "saved_model.pb").read_bytes())
    return specs_of(proto.meta_graphs[0].signature_def)


def specs_of(signatures: Mapping[str, meta_graph_pb2.SignatureDef]) -> dict[str, tuple[Specs, Specs]]:
    """(inputs, outputs) of every signature of a SavedModel's or a server's table of them."""
    return {
        name: (_specs(signatures[name].inputs), _specs(signatures[name].outputs))
        for name in sorted(signatures)
        if not name.startswith("__")  # of SavedModel itself
    }


def _specs(infos):
    return {
        key: tf.TensorSpec(tf.TensorShape(info.tensor_shape), tf.as_dtype(info.dtype), info.name)
        for key, info in sorted(infos.items())
    }
