"""The options of a family: one frozen dataclass, from which its checks, configuration, signature and docs come."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from flowzoo import bases
from flowzoo.bijectors.bounds import check_bounds
from flowzoo.core.errors import nearest
from flowzoo.core.space import Condition
from flowzoo.core.transform import Transform
from flowzoo.families import simpler
from flowzoo.families.values import CLASSES, SEEDS, Conditions, Count, Flag, NamedOr, OneOf, Policy, Shape

LINE = 116  # the length of a line of docs, indented by four


def option(
    default: Any, check: Callable[[Any, str], Any] | None, doc: str, *, aka: str = "", only: str = "", grows: str = ""
) -> Any:
    """A field of `Options`.

    Args:
      default: its value where it is not given.
      check: (value, name) -> value, or raises, such as those of `families.values`, whose `str` states the bounds; None
        if it is checked elsewhere.
      doc: what it is, in a line.
      aka: what other libraries, and people, call it, separated by spaces.
      only: "images" or "vectors" if the others have no use for it.
      grows: "layers" if each further one adds weights, "width" if some weight is at least that long along an axis (for
        a shape: as long as it has features); a file with fewer is refused before such a flow is built.
    """
    facts = {"check": check, "doc": doc, "aka": aka, "only": only, "grows": grows}
    return dataclasses.field(default=default, metadata=facts)


def shape(default: Sequence[int] = (2,), doc: str = "(features,).", grows: str = "width") -> Any:
    """The field `event_shape`."""
    aka = "features dim dims input_dim input_shape input_size shape size n_features num_features"
    return option(default, Shape(), doc, aka=aka, grows=grows)


def prior(
    default: str = "normal", names: Collection[str] = tuple(bases.NAMED), where: str = "NAMED", families: bool = False
) -> Any:
    """The field `base`: one of the `names`, keys of the dict `where` of `bases`; or with `families` a flow."""
    flow, check = (", or a flow", NamedOr) if families else ("", OneOf)
    doc = f"distribution of the latent, a key of `bases.{where}`{flow}."
    return option(default, check(tuple(names)), doc, aka="prior latent distribution base_distribution")


@dataclasses.dataclass(frozen=True)
class _Last:
    """What all families take, after their own options and those of `Options`."""

    seed: int = option(0, Count(0, SEEDS - 1), "seed of the initial weights.", aka="random_state random_seed rng")
    dtype: str = option("float32", OneOf(("float32", "float64")), "float32, or float64 for continuous vectors.")
    standardize: bool = option(
        False, Flag(), "shift and scale each column first, by numbers that `adapt` sets; continuous vectors only."
    )
    bounds: Sequence | None = option(
        None, None, "[low, high] for each column, either of them None; continuous vectors only."
    )
    condition: Mapping | None = option(
        None,
        Conditions(),
        "instead of `classes` and `condition_features`, any `core.space.Space`, or a dict of them by name; as JSON "
        '{"shape": [null, 80]} or {"label": {"values": 10}, "mel": {"shape": [null, 80]}}.',
    )


@dataclasses.dataclass(frozen=True)
class MixedPrecision(_Last):
    """Of families whose networks may compute in another dtype."""

    conditioner_dtype: str | None = option(
        None, Policy(), 'Keras dtype policy of the networks, e.g. "mixed_bfloat16"; weights stay in `dtype`.'
    )

    @property
    def network_dtype(self) -> str:
        """The dtype policy of the networks."""
        return self.conditioner_dtype or self.dtype


@dataclasses.dataclass(frozen=True)
class Options(_Last):
    """The options of a family. A subclass adds its own, each made by `option`, and has `build` and `describe`.

    Creating one checks it: a wrong value raises a `ValueError` that names the option, what it may be and what it is.

    Attributes:
      least_features: how many an event must have.
      starts: the ways in which a weight file may be of a simpler flow: see `families.simpler`.
      class_prior: whether the prior depends on the class.
      dequantizes: whether integers become real numbers by noise.
      conditional: whether it takes a condition.
      xla: whether `flow.xla` starts as True, chosen by benchmark.
    """

    least_features: ClassVar[int] = 1
    starts: ClassVar[tuple[simpler.Start, ...]] = (simpler.without_condition, simpler.narrower)
    class_prior: ClassVar[bool] = False
    dequantizes: ClassVar[bool] = True
    conditional: ClassVar[bool] = True
    xla = False

    event_shape: Sequence[int] = shape()
    base: str = prior()
    classes: int = option(
        0,
        Count(0, CLASSES),
        "number of classes of a class-conditional model; 0 for none.",
        aka="num_classes n_classes labels n_labels num_labels",
    )
    condition_features: int = option(
        0,
        Count(0, CLASSES),
        "size of a condition vector; 0 for none. With `classes`, too, the condition is a dict of `label` and "
        "`features`.",
        aka="context context_features context_size context_dim condition_dim cond_dim",
    )

    def __post_init__(self):
        for name, field in fields(type(self)).items():
            if check := field.metadata.get("check"):
                object.__setattr__(self, name, check(getattr(self, name), name))
        if getattr(self, "bits", 0):
            if self.dtype != "float32":
                raise ValueError(
                    f"`dtype` must be 'float32' for integers, got {self.dtype!r}. `bits` 0 allows float64."
                )
            for name in ("standardize", "bounds"):
                if value := getattr(self, name):
                    raise ValueError(f"`{name}` is for vectors, leave it out for integers; got {value!r}.")
        if not self.conditional and self.conditions:
            raise ValueError(
                f"{self.family} takes no condition, got {self.conditions.described()}. Leave out `classes`, "
                "`condition_features` and `condition`."
            )
        if self.condition is not None and (self.classes or self.condition_features):
            raise ValueError("Give `condition`, or `classes` and `condition_features`, not both.")
        if self.base == "class-conditional" and not self.only_classes:
            raise ValueError("`base` 'class-conditional' needs `classes`, and no other condition.")
        if self.bounds is not None:
            object.__setattr__(self, "bounds", check_bounds(self.bounds, "bounds", self.event_shape))

    def build(self) -> list[Transform]:
        """The transforms from data to latent, in the order of encode.

        Raises:
          ValueError: the options do not fit each other.
        """
        raise NotImplementedError(f"{type(self).__name__} must have `build`, which returns its transforms.")

    def latent_distribution(self, latent_shape: Sequence[int], dtype: str) -> bases.Base:
        """The distribution of the latent."""
        return bases.named(self.base, latent_shape, classes=self.only_classes, dtype=dtype)

    def describe(self) -> str:
        """What the flow consists of, in a sentence or two; options that families share are described elsewhere."""
        raise NotImplementedError(f"{type(self).__name__} must have `describe`, a sentence for the card.")

    @property
    def family(self) -> str:
        """The name of the family's class, by that of its options."""
        return type(self).__name__.removesuffix("Options")

    def features(self) -> int:
        """How many features an event has.

        Raises:
          ValueError: `event_shape` is not (features,).
        """
        if len(self.event_shape) != 1:
            raise ValueError(f"{self.family} takes `event_shape` (features,), got {self.event_shape}.")
        return self.event_shape[0]

    @property
    def conditions(self) -> Condition:
        """What the flow is conditioned on."""
        if self.condition is not None:
            return Condition.from_config(self.condition, self.dtype)
        return Condition.of(self.classes, self.condition_features, self.dtype)

    @property
    def condition_size(self) -> int:
        """How many numbers the networks take as a condition; a class is one-hot."""
        return self.conditions.features

    @property
    def image_condition(self) -> dict[str, int]:
        """What networks of images take: a class as a bias of its own, any other condition as channels."""
        classes = self.only_classes
        return {"classes": classes, "condition_features": self.condition_size - classes}

    @property
    def only_classes(self) -> int:
        """How many classes there are, if the flow is conditioned on the class alone; else 0."""
        return self.conditions.labels

    def least(self, given: Collection[str]) -> Iterator[tuple[str, int, str]]:
        """The given options by which weights grow: name, value, and "layers" or "width", as for `option`."""
        for name, field in fields(type(self)).items():
            value, grows = getattr(self, name), field.metadata.get("grows") if name in given else ""
            if grows and isinstance(value, tuple):  # the shape, which says nothing of the weights for an image
                yield "features", value[0] if len(value) == 1 else 0, grows
            elif grows:
                yield name, value, grows

    def config(self) -> dict[str, Any]:
        """Name and value of each, as JSON holds them."""
        values = {name: getattr(self, name) for name in fields(type(self))}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def fields(kind: type[Options]) -> dict[str, dataclasses.Field]:
    """The options by name, in the order of the constructor: `event_shape`, the family's own, those all have.

    One that is declared anew, with another default, stays where it was first declared.
    """
    known = {field.name: field for field in dataclasses.fields(kind)}
    names = [name for base in kind.__mro__ for name in inspect.get_annotations(base)]
    order = ["event_shape", *(name for i, name in enumerate(names) if name not in names[i + 1 :])]
    return {name: known[name] for name in order if name in known}


def signature(kind: type[Options]) -> inspect.Signature:
    """The signature of the family's constructor."""
    made = {name: (field.default, field.type) for name, field in fields(kind).items()} | {"name": (None, "str | None")}
    any_way = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature(
        [inspect.Parameter(name, any_way, default=default, annotation=of) for name, (default, of) in made.items()]
    )


def arguments(kind: type[Options]) -> str:
    """The section "Args" of the family's docstring."""
    docs = {name: field.metadata.get("doc", "") for name, field in fields(kind).items()} | {"name": "Keras name."}
    lines = (textwrap.fill(f"{name}: {doc}", LINE - 2, subsequent_indent="  ") for name, doc in docs.items())
    return "Args:\n" + textwrap.indent("\n".join(lines), "  ")


def counted(count: int, noun: str) -> str:
    """A number of things in a description: "1 layer", "2 layers"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def meant(name: str, kind: type[Options], given: Mapping[str, Any]) -> str:
    """The fix for an option that a family does not take: a synonym of one of its own, else the nearest of its names.

    Args:
      name: that was given.
      kind: of the family.
      given: all options that were given; with `bits` 0, what is only for images is not suggested.
    """
    integers, known = given.get("bits", getattr(kind, "bits", 0)), fields(kind)
    own = {key: field.metadata for key, field in known.items() if integers or field.metadata.get("only") != "images"}
    for key, facts in own.items():
        if name.lower() in facts.get("aka", "").split():
            return f"Did you mean {key!r}?"
    return nearest(name, own)
