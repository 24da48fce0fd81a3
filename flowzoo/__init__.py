"""flowzoo: a zoo of normalizing flows for TensorFlow and Keras, with trained weights.

Everything is imported when it is first used, so that `import flowzoo` costs nothing. Where Keras is imported, before or
after, the families are too, so that `keras.models.load_model` knows them.
"""

import importlib
from typing import Any

from flowzoo.registration import register_with_keras

__version__ = "0.1.0"

_HOME = {
    "Context": "flowzoo.core.context",
    "Flow": "flowzoo.models.flow",
    "create": "flowzoo.families",
    "card": "flowzoo.cards.card",
    "diagnose": "flowzoo.measure.diagnose",
    "diagnose_latents": "flowzoo.measure.latents.diagnose",
    "list_presets": "flowzoo.hub.presets",
    "load": "flowzoo.zoo.load",
    "set_hub": "flowzoo.hub.mirrors",
    "verify": "flowzoo.zoo.verify",
}
_PACKAGES = (
    *("bases", "bijectors", "conditioners", "core", "data", "families", "flows"),
    *("interop", "serving", "surjections", "testing", "training", "zoo"),
)
_MODULES = {name: f"flowzoo.{name}" for name in _PACKAGES} | {"random": "flowzoo.core.random"}

__all__ = ["__version__", *sorted(_HOME), *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'flowzoo' has no attribute {name!r}. Public names: {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return sorted(__all__)


register_with_keras()
