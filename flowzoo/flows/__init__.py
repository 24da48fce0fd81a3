"""The public name of the flows: `Flow`, the families by class, `create` and `FAMILIES`."""

from flowzoo import families
from flowzoo.families import *  # noqa: F403
from flowzoo.models.flow import Flow

__all__ = ["Flow", *families.__all__]
