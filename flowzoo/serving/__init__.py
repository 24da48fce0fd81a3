"""Flows as SavedModels, for TensorFlow Serving and plain TensorFlow."""

from flowzoo.serving.export import export

__all__ = ["export"]
