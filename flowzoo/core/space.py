"""What a value is: the `Space` of x, a latent or a condition, and the `Condition`, which has none, one or several."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowzoo.core.checks import check_count

if TYPE_CHECKING:
    import numpy as np

ONE = "condition"  # what the only condition is called
RESERVED = ("x", "z", "seed", "temperature", "image_bytes")  # inputs of signatures, beside which conditions stand
OFF_SPHERE = 1e-4  # by how much the norm of a point of the unit sphere may differ from 1
MODALITIES = {0: "label", 1: "vector", 2: "sequence", 3: "image", 4: "video"}  # by the axes of a value


@dataclasses.dataclass(frozen=True)
class Space:
    """The shape, type and values of one example.

    Attributes:
      shape: its axes; None for one whose length varies.
      dtype: in which a model takes it; integers may come in any type that holds them.
      values: number of distinct integers, from `lowest` on; 0 for finite floating-point numbers.
      modality: "vector", "image", "audio", ..., which says how to read, draw and write it; by its axes if not given.
      anywhere: whether numbers of shape (n,) may also be given for each place of x, as (height, width, n).
      lowest: the smallest of its integers: 0 for labels and pixels, -32768 for audio of 16 bits.
      rate: samples per second of audio, which files state; 0 for anything else.
      on_sphere: its numbers are a point of the unit sphere: their norm is 1, to `OFF_SPHERE`.
    """

    shape: tuple[int | None, ...]
    dtype: str = "float32"
    values: int = 0
    modality: str = ""
    anywhere: bool = False
    lowest: int = 0
    rate: int = 0
    on_sphere: bool = False

    def __post_init__(self):
        shape = tuple(self.shape) if isinstance(self.shape, Sequence) else self.shape
        if not isinstance(shape, tuple) or not all(n is None or (type(n) is int and n >= 1) for n in shape):
            raise ValueError(f"`shape` of a Space must be whole numbers >= 1, or None, got {self.shape!r}.")
        check_count(self.values, "values", 0)
        check_count(self.rate, "rate", 0)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "modality", self.modality or MODALITIES.get(len(shape), "array"))

    @classmethod
    def integers(cls, shape: Sequence[int | None], values: int, modality: str = "") -> Space:
        """Integers 0 ... values - 1: a byte each if they fit; labels, which have no axes, int32."""
        small = values <= 256 and len(shape) > 0
        return cls(tuple(shape), "uint8" if small else "int32", values, modality)

    @classmethod
    def audio(cls, samples: int | None, rate: int, bits: int = 16) -> Space:
        """A waveform as files hold it: signed integers of this many bits, in int16."""
        return cls((samples,), "int16", 2**bits, "audio", lowest=-(2 ** (bits - 1)), rate=rate)

    @property
    def highest(self) -> int:
        """The largest of its integers."""
        return self.lowest + self.values - 1

    @property
    def features(self) -> int:
        """How many numbers a network gets for it at each place: a label is one-hot, a channel one number."""
        return self.values if self.one_hot else self.shape[-1] if self.shape else 1

    @property
    def one_hot(self) -> bool:
        """Whether networks get its integers as classes; those with channels, as pixels, are numbers."""
        return self.values > 0 and len(self.shape) < 3

    @property
    def places(self) -> tuple[int | None, ...]:
        """The axes of its places: all but that of the numbers at each, which integers as classes do not have."""
        return self.shape if self.one_hot else self.shape[:-1]

    @property
    def depth(self) -> int:
        """Bits of its integers, rounded up; 0 for continuous numbers."""
        return (self.values - 1).bit_length() if self.values else 0

    def fits(self, shape: Sequence[int | None]) -> bool:
        """Whether an example, or the spec of one, may have this shape; its None may be anything."""
        return any(
            len(wanted) == len(shape) and all(None in (a, b) or a == b for a, b in zip(wanted, shape, strict=True))
            for wanted in ([self.shape, (None, None, *self.shape)] if self.anywhere else [self.shape])
        )

    def described(self, rows: int | str = "batch") -> str:
        """What a batch of it must be, for messages: "(batch, 3) numbers"."""
        axes = ", ".join("any" if n is None else str(n) for n in self.shape)
        kind = "numbers" if not self.values else f"integer labels 0 ... {self.highest}"
        if self.values and self.shape:
            kind = f"integers {self.lowest} ... {self.highest}"
        return f"({rows}{', ' if axes else '' if rows == '...' else ','}{axes}) {kind}"


def of_size(shape: Sequence[int | None], size: int) -> tuple[int, ...] | None:
    """This shape with `size` entries, where one None stands for as many as it takes; None if there is none.

    >>> of_size((None, 5), 20)
    (4, 5)
    """
    known, unknown = math.prod(length or 1 for length in shape), list(shape).count(None)
    if unknown > 1 or not known or size % known or not (unknown or size == known):
        return None
    return tuple(size // known if length is None else length for length in shape)


def in_nats(bits: int) -> bool:
    """Whether likelihoods of such data are stated in nats, as papers do for real numbers and for binary data."""
    return bits < 2


class Condition:
    """What a model is conditioned on: nothing, one value, or several by name.

    Args:
      spaces: None; a `Space`; or a dict of them, whose values then come as a dict with the same keys. Networks get
        them side by side, in the order of the dict; those without places are repeated at the places of the others.

    Raises:
      ValueError: a name can't be that of an input, or values have places of different shapes.
    """

    def __init__(self, spaces: Space | Mapping[str, Space] | None = None):
        self.named = isinstance(spaces, Mapping)
        self.spaces: dict[str, Space] = dict(spaces) if self.named else {} if spaces is None else {ONE: spaces}
        for name, space in self.spaces.items():
            if not isinstance(space, Space):
                raise TypeError(f"`condition` must be a Space or a dict of them, got {type(space).__name__}.")
            if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in RESERVED:
                raise ValueError(
                    "A condition must have a name of lowercase letters, digits and _, other than "
                    f"{', '.join(RESERVED)}, got {name!r}."
                )
            if space.lowest:
                raise ValueError(
                    f"Integers of a condition must begin at 0, got {space.lowest} as the lowest of {name}."
                )
        places = {space.places for space in self.spaces.values() if space.places}
        if len(places) > 1:
            raise ValueError(f"Conditions with places must share the same places, got {sorted(places, key=str)}.")

    @classmethod
    def of(cls, classes: int = 0, features: int = 0, dtype: str = "float32", anywhere: bool = False) -> Condition:
        """A label, a vector of numbers, both as `label` and `features`, or nothing."""
        label = Space.integers((), classes) if classes else None
        vector = Space((features,), dtype, anywhere=anywhere) if features else None
        return cls({"label": label, "features": vector} if label and vector else label or vector)

    def __bool__(self) -> bool:
        return bool(self.spaces)

    @property
    def features(self) -> int:
        """How many numbers networks get for all of it."""
        return sum(space.features for space in self.spaces.values())

    @property
    def labels(self) -> int:
        """The number of classes, if the condition is a label and nothing else; otherwise 0."""
        space = self.spaces.get(ONE)
        return space.values if space and not space.shape else 0

    def labels_in_turn(self, count: int) -> np.ndarray | None:
        """The labels 0, 1, ..., over and over, (count,) int32; None for another condition, or none."""
        import numpy as np  # here, as `flowzoo list` needs none

        return np.arange(count, dtype=np.int32) % self.labels if self.labels else None

    def in_turn(self, count: int) -> Any:
        """Some condition for `count` examples: labels as in `labels_in_turn`, zeros for numbers; None if it is none."""
        import numpy as np

        def part(space):
            shape = (count, *(length or 1 for length in space.shape))
            labels = np.arange(count, dtype=np.int32) % (space.values or 1)
            return np.zeros(shape, space.dtype) + labels.reshape(count, *[1] * len(space.shape)).astype(space.dtype)

        return self.whole({name: part(space) for name, space in self.spaces.items()})

    def __eq__(self, other) -> bool:
        """Whether two take the same values under the same names."""
        return isinstance(other, Condition) and (self.named, self._taken()) == (other.named, other._taken())

    __hash__ = None

    def __repr__(self) -> str:
        return f"Condition({self.described()})"

    def _taken(self):
        return {name: (space.shape, space.values) for name, space in self.spaces.items()}

    def described(self) -> str:
        """What a batch of it must be, for messages."""
        parts = {name: space.described() for name, space in self.spaces.items()}
        listed = ", ".join(f"{name}: {text}" for name, text in parts.items())
        return listed if self.named else parts.get(ONE, "none")

    def parted(self, value: Any, what: str = ONE) -> dict[str, Any]:
        """The values by name.

        Raises:
          ValueError: they are missing, unexpected, or under other names.
        """
        if not self.named:
            if value is not None and isinstance(value, Mapping):
                raise ValueError(f"`{what}` must be one value, got a dict of {sorted(value)}. Pass the value itself.")
            return dict.fromkeys(self.spaces, value)
        if not isinstance(value, Mapping) or set(value) != set(self.spaces):
            got = f"a dict of {sorted(map(str, value))}" if isinstance(value, Mapping) else type(value).__name__
            got = "None" if value is None else got
            raise ValueError(f"`{what}` must be a dict of {sorted(self.spaces)}, got {got}.")
        return {name: value[name] for name in self.spaces}

    def called(self, name: str, what: str = ONE) -> str:
        """The name of a part in messages, where `what` is that of the condition."""
        return f'{what}["{name}"]' if self.named else what

    def pairs(self, value: Any, what: str = ONE) -> list[tuple[str, Any, Space]]:
        """The name of each part in messages, the part, and its space; empty for None, or without spaces."""
        if value is None or not self.spaces:
            return []
        return [(self.called(name, what), part, self.spaces[name]) for name, part in self.parted(value, what).items()]

    def whole(self, parts: Mapping[str, Any]) -> Any:
        """The inverse of `parted`: a dict, one value, or None."""
        return dict(parts) if self.named else parts.get(ONE)

    def map(self, function: Callable[[Any, Space], Any], value: Any) -> Any:
        """`function(part, its space)` of each part, in the form of the value; without spaces, the value itself."""
        if not self.spaces:
            return value  # None, or what is refused elsewhere
        return self.whole({name: function(part, self.spaces[name]) for name, part in self.parted(value).items()})

    def rows(self, value: Any, which: Any) -> Any:
        """The rows `which`, a slice or indices, of each part."""
        return self.map(lambda part, _: part[which], value)

    @classmethod
    def from_config(cls, config: Mapping[str, Any] | None, dtype: str = "float32") -> Condition:
        """The inverse of `config`: {"shape", "values", "modality"} of one value, or a dict of such by name.

        Args:
          config: as JSON holds it; None for none. "shape" is () if left out, "values" 0.
          dtype: of numbers.

        Raises:
          ValueError: it holds other keys, or what a `Space` refuses.
        """
        if config is None:
            return cls()
        if not isinstance(config, Mapping):
            raise ValueError(f"A condition must be a dict, as {{'shape': [3]}}, got {config!r}.")
        if all(isinstance(value, Mapping) for value in config.values()):
            return cls({name: _space(value, dtype) for name, value in config.items()})
        return cls(_space(config, dtype))

    def config(self) -> Any:
        """As JSON: what `from_config` takes."""
        spaces = {
            name: {"shape": list(space.shape), "values": space.values, "modality": space.modality}
            for name, space in self.spaces.items()
        }
        return spaces if self.named else spaces.get(ONE)


def _space(config, dtype):
    unknown = set(config) - {"shape", "values", "modality"}
    if unknown or not config:
        raise ValueError(
            f"A condition must have shape, values or modality, got {sorted(map(str, unknown)) or 'nothing'}."
        )
    shape, values, modality = config.get("shape", ()), config.get("values", 0), config.get("modality", "")
    return Space.integers(shape, values, modality) if values else Space(shape, dtype, 0, modality)
