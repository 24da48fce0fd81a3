"""What all families share: a flow made from options, which can also be saved to `.keras`."""

from __future__ import annotations

import inspect
import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from flowzoo.bijectors import Bounds, Chain, Standardize
from flowzoo.core.layout import Layout
from flowzoo.core.limits import counting
from flowzoo.core.transform import Transform
from flowzoo.families import options as declared
from flowzoo.models.flow import Flow
from flowzoo.models.layers import freeze_layers, freeze_weights, frozen_layers, frozen_weights
from flowzoo.models.saving import require_no_hdf5

FAMILIES: dict[str, type[Family]] = {}  # by name; `flowzoo.families` fills it
KEPT = ("columns", "condition_columns", "named_columns", "frozen", "frozen_weights")  # the last two: numbers
OBJECTIVE = "training_objective"  # in a configuration only if it is not that of the family
ASSETS = "flow.json"  # where they are in a `.keras` file


class _Signature:
    """`inspect.signature` of a family, not of a flow, which is called with x."""

    def __get__(self, flow, family):
        if flow is not None:
            raise AttributeError("__signature__")
        return declared.signature(family.Options)


class Family(Flow):
    """A flow made from flat keywords, which its `Options` declare; their docs become part of the class's.

    A subclass has a docstring and `Options`, a subclass of `flowzoo.families.options.Options`, and is registered with
    Keras, through which `.keras` files find it.

    All families of continuous vectors take two options, for what stands between the data and their own layers:

      standardize: each column is first shifted and scaled (`bijectors.Standardize`), by numbers that `adapt` sets, so
        that results do not depend on its unit. Off by default, as in presets; `flowzoo.create` turns it on.
      bounds: one [low, high] per column, either of them None, or None for the column; outside log p(x) is -inf
        (`bijectors.Bounds`). Or None for no bounds at all.

    With either of them x is float64, whatever the flow's own dtype: `data_dtype` says so, `log_prob` takes x in
    float64, and `sample`, `decode` and exports give it in float64. Latents and log-densities keep the flow's dtype.

    Attributes:
      Options: the options of the family.
      options: those of this flow.
    """

    Options: ClassVar[type[declared.Options]] = declared.Options
    __signature__ = _Signature()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "Options" in vars(cls):
            text, mark, references = inspect.cleandoc(cls.__doc__ or "").partition("\nReference")
            cls.__doc__ = f"{text.rstrip()}\n\n{declared.arguments(cls.Options)}\n{mark}{references}"

    def __init__(self, *args: Any, **options: Any):
        made = declared.signature(self.Options)
        if unknown := [key for key in options if key not in made.parameters]:
            fix = declared.meant(unknown[0], self.Options, options)
            raise TypeError(f"{type(self).__name__} takes no {unknown[0]!r}. {fix}")
        given = made.bind(*args, **options).arguments
        name = given.pop("name", None)
        options = self.Options(**given)
        _require_features(options)
        parts = options.build()
        transform = Chain([*_front(options), *parts])
        base = options.latent_distribution(transform.latent_shape, transform.compute_dtype)
        given = {"classes": options.classes, "condition_features": options.condition_features}
        if options.condition is not None:
            given = {"condition": options.conditions}
        super().__init__(transform, base, **given, name=name)
        self.options = options
        if options.xla:
            self.xla = True

    def get_config(self) -> dict[str, Any]:
        """The keywords of the constructor; and `training_objective` if it is not that of the family."""
        require_no_hdf5()
        own = self.training_objective == type(self).training_objective
        return {**self.options.config(), "name": self.name} | ({} if own else {OBJECTIVE: self.training_objective})

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Family:
        """As Keras' own; a flow of too many weights is refused, as by `flows.create`."""
        config = dict(config)
        kept = {key: config.pop(key) for key in KEPT if key in config}  # of files from before `save_assets`
        objective = config.pop(OBJECTIVE, cls.training_objective)
        with counting():
            flow = super().from_config(config)
        if objective != flow.training_objective:
            flow.training_objective = objective  # before Keras compiles it
        flow._keep(kept)
        return flow

    def simpler(self, own: Layout, layout: Layout) -> Iterator[Family]:
        """Flows with the same options, but without one or several of the parts that a weight file may lack.

        Args:
          own: the layout of this flow.
          layout: that of the file.
        """
        config = self.get_config()
        ways = ([{}, *start(config, own, layout)] for start in self.options.starts)
        _, *several = itertools.product(*ways)  # the first changes nothing
        for changes in several:
            yield self.from_config(config | {key: value for change in changes for key, value in change.items()})

    def save_assets(self, dir_path: str) -> None:
        """Called by Keras: writes to a `.keras` file what is neither weight nor configuration, if there is any."""
        named, frozen = self.intake.named_columns, (frozen_layers(self), frozen_weights(self))
        kept = dict(zip(KEPT, (self.columns, self.condition_columns, named, *frozen), strict=True))
        if any(kept.values()):
            Path(dir_path, ASSETS).write_text(json.dumps(kept))

    def load_assets(self, dir_path: str) -> None:
        """Called by Keras: takes from a `.keras` file what `save_assets` wrote."""
        path = Path(dir_path, ASSETS)
        if path.exists():
            self._keep(json.loads(path.read_text()))

    def _keep(self, kept):
        self.intake.columns, self.intake.condition_columns = kept.get("columns"), kept.get("condition_columns")
        self.intake.named_columns = kept.get("named_columns") or {}
        freeze_layers(self, kept.get("frozen") or [])
        freeze_weights(self, kept.get("frozen_weights") or [])


def _require_features(options: declared.Options) -> None:
    least, shape = options.least_features, options.event_shape
    if math.prod(shape) < least:
        others = [repr(name) for name, family in FAMILIES.items() if _takes_one_feature(family.Options)]
        raise ValueError(
            f"`event_shape` must have at least {least} features for {options.family}, got {shape}. For one feature "
            f"take {', '.join(others)}."
        )


def _takes_one_feature(options: type[declared.Options]) -> bool:
    """Whether a flow of one feature can be made by the family's defaults."""
    try:
        options(event_shape=(1,)).build()
    except ValueError:
        return False
    return options.least_features == 1


def _front(options: declared.Options) -> list[Transform]:
    """What stands between the data and the family's own layers."""
    shape = options.event_shape
    bounds = [Bounds(shape, options.bounds)] if options.bounds is not None else []
    return [*bounds, *([Standardize(shape)] if options.standardize else [])]
