"""A preset: the single record of a model, how it was trained, and what it measured."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flowzoo.core.errors import PresetError
from flowzoo.core.files import write_atomic
from flowzoo.record.recipe import staged
from flowzoo.record.schema import LIMIT, check_preset, parse_json, to_json

BEFORE, OTHER = "elsewhere", "other_data_set"  # a key of files from before it was renamed, and what it is now


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One JSON file of `flowzoo/zoo/presets`, checked; `flowzoo.record.schema` has every key.

    With `recipe_only` there are no weights and none are to come: a recipe, such as a paper's, too large to train here.
    The fields after it are None until `tools/publish.py` fills them; `source` is the file, for messages. What is
    measured (`metrics`, `certificate`, `other_data_set`) is stored as plain facts; `flowzoo.measure` knows what they
    mean.
    """

    name: str
    revision: int
    description: str
    family: str
    config: dict[str, Any]
    dataset: dict[str, Any]
    training: list[dict[str, Any]]  # the stages, in order
    licence: dict[str, str]
    paper: dict[str, Any]
    published: list[dict[str, Any]]
    recipe_only: bool | None = None
    known_failures: list[str] | None = None
    parameters: int | None = None
    fingerprint: str | None = None
    files: dict[str, dict[str, Any]] | None = None
    metrics: dict[str, dict[str, Any]] | None = None
    certificate: dict[str, dict[str, Any]] | None = None
    other_data_set: dict[str, Any] | None = None
    provenance: dict[str, Any] | None = None
    source: str = field(default="preset", compare=False, repr=False)

    @classmethod
    def read(cls, path: str | Path) -> "Preset":
        """Read and check a preset's JSON file; `flowzoo.hub.presets.read_preset` finds it by name.

        Raises:
            PresetError: it can't be read, is not JSON, or has an unknown or missing key (the message has its path) or a
                wrong type.
        """
        try:
            with open(path, "rb") as file:
                content = file.read(LIMIT + 1)
        except OSError as error:
            raise PresetError(f"{Path(path).name}: expected a readable JSON file, got: {error}.") from error
        return cls.from_dict(parse_json(content, Path(path).name), source=Path(path).name)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "preset") -> "Preset":
        """Check `data` and make a preset of it; raises `PresetError` as `read` does."""
        if isinstance(data, Mapping) and BEFORE in data and OTHER not in data:
            data = {OTHER if key == BEFORE else key: value for key, value in data.items()}
        if isinstance(data, Mapping) and "training" in data:
            data = {**data, "training": staged(data["training"])}
        check_preset(data, source)
        return cls(**data, source=source)

    @property
    def trained(self) -> bool:
        """Whether trained weights were published for this preset."""
        return self.files is not None

    @property
    def depth(self) -> int:
        """Bits of its integer data; 0 for continuous data."""
        return self.dataset["bits"]

    @property
    def discrete(self) -> bool:
        """Whether its data are integers."""
        return self.depth > 0

    @property
    def labelled(self) -> bool:
        """Whether the model is conditioned on the labels of its data."""
        return self.dataset["labels"]

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON; fields not measured yet are left out."""
        return {key: value for key, value in asdict(self).items() if value is not None and key != "source"}

    def to_json(self) -> str:
        """The text of the preset's JSON file."""
        return to_json(self.to_dict())

    def write(self, path: str | Path) -> None:
        """Write the preset as JSON to `path`, all or nothing."""
        write_atomic(path, self.to_json())
