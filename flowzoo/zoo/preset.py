"""A preset: the single record of a model, how it was trained, and what it measured."""

import fnmatch
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flowzoo.errors import PresetError, closest, nearest
from flowzoo.files import irregular, write_atomic
from flowzoo.training.likelihood import Likelihood, stated
from flowzoo.zoo import store
from flowzoo.zoo.schema import LIMIT, check_preset, parse_json, to_json
from flowzoo.zoo.store import PRESETS


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One JSON file of `flowzoo/zoo/presets`, checked; `flowzoo.zoo.schema` has every key.

    With `recipe_only` there are no weights and none are to come: a recipe, such as a paper's, too large to train here.
    The fields after it are None until `tools/publish.py` fills them; `source` is the file, for messages.
    """

    name: str
    revision: int
    description: str
    family: str
    config: dict[str, Any]
    dataset: dict[str, Any]
    training: dict[str, Any]
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
    elsewhere: dict[str, Any] | None = None
    provenance: dict[str, Any] | None = None
    source: str = field(default="preset", compare=False, repr=False)

    @classmethod
    def read(cls, name_or_path: str | Path, folder: str | Path = PRESETS) -> "Preset":
        """Read and check a preset.

        Args:
            name_or_path: the name of a preset in `folder`; `name@revision` for that revision of one of flowzoo's own,
                from the cache or a hub if it is not the one this flowzoo brings; or the path of a `.json` file.
            folder: where presets lie; flowzoo's own by default.

        Returns:
            The preset.

        Raises:
            PresetError: no such preset (the message names the nearest) or revision (the message has those known), no
                JSON, an unknown or missing key (the message has its path), or a wrong type.
            HubError: no hub gave the revision.
        """
        if str(name_or_path).endswith(".json"):
            path = json_path(name_or_path)
            if wrong := irregular(path):
                raise PresetError(f"{path} {wrong}. Pass the path of a .json file or the name of a preset.")
            if not path.is_file():
                raise PresetError(f"no preset file at {path}. Pass the path of a .json file or the name of a preset.")
        elif "@" in str(name_or_path):
            return cls._read_revision(str(name_or_path), folder)
        else:
            name, known = str(name_or_path), list_presets(folder=folder)
            path = json_path(name, folder)
            if name not in known:
                there = ", ".join(f"{name}@{revision}" for revision in store.revisions(name))
                hint = f"Not of this flowzoo, but known by revision: {there}." if there else nearest(name, known)
                raise PresetError(f"unknown preset {name!r}. {hint}")
        try:
            with open(path, "rb") as file:
                content = file.read(LIMIT + 1)
        except OSError as error:
            raise PresetError(f"{path.name}: expected a readable JSON file, got: {error}.") from error
        return cls.from_dict(parse_json(content, path.name), source=path.name)

    @classmethod
    def _read_revision(cls, wanted: str, folder: str | Path) -> "Preset":
        name, revision = store.split(wanted)
        known = list_presets(folder=folder)
        own = cls.read(name, folder) if name in known else None
        if own and own.revision == revision:
            return own
        try:
            path = store.revision(name, revision, [own.revision] if own else [])
        except PresetError as error:
            meant = closest(name, known)
            if own or not meant:
                raise
            raise PresetError(f"{error} {meant}") from error
        preset = cls.read(path)
        if (preset.name, preset.revision) != (name, revision):
            raise PresetError(f"{path.name}: expected {wanted}, got {preset.name}@{preset.revision}. The hub is wrong.")
        return preset

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "preset") -> "Preset":
        """Check `data` and make a preset of it; raises `PresetError` as `read` does."""
        check_preset(data, source)
        return cls(**data, source=source)

    @property
    def trained(self) -> bool:
        """Whether trained weights were published for this preset."""
        return self.files is not None

    @property
    def likelihood(self) -> Likelihood:
        """How the likelihood of this preset is stated; `build` requires the flow to be of the same bits."""
        return stated(self.dataset["bits"])

    @property
    def measured(self) -> dict[str, Any] | None:
        """The likelihood on the test split with its protocol, once it is published."""
        return (self.metrics or {}).get(self.likelihood.metric)

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON; fields not measured yet are left out."""
        return {key: value for key, value in asdict(self).items() if value is not None and key != "source"}

    def to_json(self) -> str:
        """The text of the preset's JSON file."""
        return to_json(self.to_dict())

    def write(self, path: str | Path) -> None:
        """Write the preset as JSON to `path`, all or nothing."""
        write_atomic(path, self.to_json())


def json_path(name_or_path: str | Path, folder: str | Path = PRESETS) -> Path:
    """Where the JSON of a preset lies that is given by its name in `folder`, without a revision, or by a path."""
    return Path(name_or_path) if str(name_or_path).endswith(".json") else Path(folder) / f"{name_or_path}.json"


def list_presets(pattern: str = "*", folder: str | Path = PRESETS, *, weights: bool | None = None) -> list[str]:
    """Names of the presets that match a shell-style `pattern`, sorted.

    Args:
        pattern: such as "glow-*".
        folder: where presets lie; flowzoo's own by default.
        weights: True for those with trained weights, False for those without (such as recipes of a paper's size), None
            for all.

    >>> import flowzoo
    >>> flowzoo.list_presets("glow-fashion*")
    ['glow-fashion-mnist']
    """
    names = sorted(path.stem for path in Path(folder).glob("*.json") if fnmatch.fnmatchcase(path.stem, pattern))
    return [name for name in names if weights is None or Preset.read(name, folder).trained == weights]
