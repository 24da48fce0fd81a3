"""A preset's card as a page of its own: docs/models/<preset>.md."""

from typing import Any

from flowzoo.cards.architecture import architecture
from flowzoo.cards.card import (
    RECIPE_ONLY,
    data_text,
    paper_text,
    restriction_text,
    revision_text,
    start_kept,
    training_text,
)
from flowzoo.cards.table import table
from flowzoo.data import specs
from flowzoo.measure.measured import protocol_text, value_text
from flowzoo.measure.measurement import Measurement, Section
from flowzoo.measure.registry import MEASUREMENTS
from flowzoo.modalities.registry import modality_of
from flowzoo.record.preset import Preset

ROOT = "../.."  # from docs/models
FIGURES = "figures"  # beside the pages

LIMITS = """The model knows only its training data, and a log-likelihood does not show whether an input is normal: flows
are known to give some other data sets a higher one (Nalisnick et al. 2019, arXiv:1810.09136)."""


def markdown_page(preset: Preset) -> str:
    """The whole page."""
    parts = [f"# {preset.name}\n", f"{preset.description}\n"]
    if preset.recipe_only:
        parts.append(f"**{RECIPE_ONLY[0].upper()}{RECIPE_ONLY[1:]}.**\n")
    if restriction_text(preset):
        parts.append(f"**Restricted: {restriction_text(preset)}.**\n")
    if preset.trained:
        folder = f"{ROOT}/checkpoints/{preset.name}"
        parts.append(f"![{_samples_text(preset)}]({folder}/samples.png)\n")
        if "interpolations.png" in preset.files:
            parts.append(f"![lines between samples at T = 0.7]({folder}/interpolations.png)\n")
        if "samples.wav" in preset.files:
            parts.append(f"[these samples as sound]({folder}/samples.wav)\n")
    parts += [
        table(("what", "value"), _facts(preset)),
        f"## Architecture\n\n{architecture(preset)}\n\n`{_flat(preset.config)}`\n",
    ]
    rows = _measured(preset)
    if rows:
        header = ("metric", "value", "source", "protocol, and what differs")
        parts.append(f"## Measured and published\n\n{table(header, rows)}")
    parts += [
        _section(preset, measurement, part) for measurement in MEASUREMENTS for part in measurement.sections(preset)
    ]
    parts += _training(preset)
    facts = specs.spec(preset.dataset["name"])
    use = facts.use if facts.drawn else f"{facts.use}\n\n{LIMITS}"
    parts += [f"## Intended use\n\n{use}\n", *_failures(preset)]
    return "\n".join(parts)


def _facts(preset: Preset) -> list[tuple[str, str]]:
    rows = [("family", preset.family), ("data", data_text(preset)), ("paper", paper_text(preset))]
    if preset.parameters:
        rows.append(("parameters", f"{preset.parameters:,}"))
    rows += [(f"licence of the {what}", preset.licence[what]) for what in ("code", "weights", "data")]
    revision = f"{preset.revision}"
    if preset.trained:
        revision += f'; `flowzoo.load("{preset.name}@{preset.revision}")` never changes'
        for name, file in preset.files.items():
            rows.append((f"`{name}`", f"{file['bytes']:,} bytes, sha256 `{file['sha256'][:16]}…`"))
    return [*rows, ("revision", revision)]


def _samples_text(preset: Preset) -> str:
    """What samples.png shows."""
    facts = specs.spec(preset.dataset["name"])
    if card := modality_of(facts.x_space).card:
        return card
    if facts.event_shape == (2,):
        return "density of the flow, its samples at T = 1" + (", and the true density" if facts.drawn else "")
    return "pair plot of the first features of samples at T = 1"


def _measured(preset: Preset) -> list[tuple[str, ...]]:
    rows = []
    for name, metric in (preset.metrics or {}).items():
        where = f", {metric['split']}, {metric['examples']:,} examples" if "examples" in metric else ""
        rows.append((name, value_text(metric), f"measured here{where}", protocol_text(metric)))
    for entry in preset.published:
        value = f"{entry['value']:g}" + ("" if entry["verified"] else " (reported, unverified)")
        rows.append((entry["metric"], value, entry["source"], entry["note"]))
    return rows


def _section(preset: Preset, measurement: Measurement, section: Section) -> str:
    text = section.text if section.rows else _with_figure(preset, measurement, section.text)
    return f"## {section.title}\n\n{text}\n" + (f"\n{table(section.header, section.rows)}" if section.rows else "")


def _with_figure(preset: Preset, measurement: Measurement, text: str) -> str:
    """A text, and the measurement's figure after it if it has one."""
    if not (figure := measurement.figure(preset)):
        return text
    return f"{text}\n\n![{figure.text}]({FIGURES}/{preset.name}-{figure.suffix}.png)"


def _training(preset: Preset) -> list[str]:
    parts = [f"## Train it{'' if preset.recipe_only else ' again'}\n\n```bash\n{_recipe(preset)}\n```\n"]
    if preset.trained:
        run = preset.provenance
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        text = training_text(preset)
        text = f"{text[0].upper()}{text[1:]}"
        parts += [
            f"{text}; {versions}; {revision_text(preset)}, {run['date']}.\n",
            f"![validation and learning rate against steps and hours]({FIGURES}/{preset.name}-training.png)\n",
        ]
    stages = [_stage(stage) for stage in preset.training]
    if len(stages) == 1:
        return [*parts, f"Recipe: {stages[0]}\n"]
    lines = [f"{number}. {stage}" for number, stage in enumerate(stages, 1)]
    text = f"Recipe, in {len(stages)} stages, each from the best weights of the one before"
    if preset.trained and not start_kept(preset):
        text += "; the command runs them all, since the weights before the last stage were not kept"
    return [*parts, f"{text}:\n", *lines, ""]


def _stage(recipe: dict[str, Any]) -> str:
    """A recipe, the preset that it starts from, and what is simpler than in the preset's config."""
    text = f"`{_flat({key: value for key, value in recipe.items() if key not in ('start', 'config')})}`"
    text += f", from the weights of `{recipe['start']}`" if recipe.get("start") else ""
    return text + (f"; the flow with `{_flat(recipe['config'])}`" if recipe.get("config") else "")


def _recipe(preset: Preset) -> str:
    name, lines = preset.dataset["name"], []
    if not specs.spec(name).ready:
        lines.append(f"python tools/fetch_data.py --dataset={name}")
    lines.append(f"python tools/train.py --preset={preset.name} --workdir=runs/{preset.name}")
    if not preset.recipe_only:
        lines.append(f"flowzoo verify {preset.name}")
    return "\n".join(lines)


def _failures(preset: Preset) -> list[str]:
    found = [f"- {text}" for text in preset.known_failures or []]
    for measurement in MEASUREMENTS:
        found += [f"- {_with_figure(preset, measurement, text)}" for text in measurement.failures(preset)]
    return ["## Known failures\n", "\n".join(found) + "\n"] if found else []


def _flat(values: dict) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
