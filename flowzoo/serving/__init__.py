"""Flows as SavedModels, for TensorFlow Serving and plain TensorFlow, and a client of a server that has them."""

from flowzoo.serving.client import Client
from flowzoo.serving.errors import BadRequest, ServingError, TimedOut, Unavailable
from flowzoo.serving.export import export
from flowzoo.serving.preset import export_preset

__all__ = ["BadRequest", "Client", "ServingError", "TimedOut", "Unavailable", "export", "export_preset"]
