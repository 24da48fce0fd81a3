"""Makes the families known to Keras as soon as Keras is imported, so that `keras.models.load_model` finds them.

Keras never imports the module that a `.keras` file names; `flowzoo.families` registers its classes when it is imported.
That needs TensorFlow, so `import flowzoo` alone does not do it, only together with that of Keras, in either order.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType


def register_with_keras() -> None:
    """Imports `flowzoo.families` now if Keras is imported, else as soon as it is."""
    if "keras" in sys.modules:
        _import_families()
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _import_families() -> None:
    import flowzoo.families  # noqa: F401


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Finds modules as the other finders do, and imports the families once Keras is there and no import is under way.

    The first to import Keras may be a module of flowzoo, or TensorFlow, which ignores errors meanwhile.
    """

    def __init__(self):
        self.running = 0  # modules that are being imported, one by the other

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in ("keras", "tensorflow") and not name.startswith("flowzoo."):
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in others if hasattr(finder, "find_spec"))
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module
            spec.loader.exec_module = lambda module: self._run(run, module)
        return spec

    def _run(self, run: Callable[[ModuleType], None], module: ModuleType) -> None:
        self.running += 1
        try:
            run(module)
        finally:
            self.running -= 1
        if not self.running and "keras" in sys.modules and self in sys.meta_path:
            sys.meta_path.remove(self)
            _import_families()
